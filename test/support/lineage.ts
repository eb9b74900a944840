/** Rows of artifacts, runs and versions as a test draws them, without engine or store. */
import { type Kysely } from 'kysely';
import { type Database } from '../../src/adapters/database/schema.ts';
import { digestOf } from '../../src/base/json.ts';
import { type ArtifactManifest } from '../../src/engine/ports.ts';

export const DAY_MS = 24 * 3_600_000;
export const NOW = new Date('2026-06-01T00:00:00Z');
export const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * DAY_MS);

export interface DrawnArtifact {
  id: string;
  kind: string;
  inputs: string[];
  madeDaysAgo: number;
  /** The run that made it. */
  madeBy?: string;
  state?: 'KEPT' | 'DOOMED' | 'DELETED';
}

export interface DrawnRun {
  id: string;
  dataset: string;
  state: 'QUEUED' | 'RUNNING' | 'STOPPING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  /** Null for one in flight. */
  endedDaysAgo: number | null;
  uses: string[];
  /** Artifacts that it took as inputs. */
  reads?: string[];
}

export interface DrawnVersion {
  dataset: string;
  number: number;
  importedDaysAgo: number;
  artifact: string;
}

export interface Drawing {
  projectId: string;
  artifacts: readonly DrawnArtifact[];
  runs?: readonly DrawnRun[];
  versions?: readonly DrawnVersion[];
  pins?: readonly string[];
  priors?: readonly string[];
}

export function drawnManifest({ id, kind, inputs }: DrawnArtifact): ArtifactManifest {
  return {
    ...{ formatVersion: 1, id, kind, inputs, stage: kind, stageVersion: 1, options: {} },
    blobs: { data: { sha256: digestOf({ blob: id }), bytes: 100, mediaType: 'application/octet-stream' } },
    ...{ content: {}, metrics: {}, produced: {} },
  };
}

export async function draw(db: Kysely<Database>, of: Drawing): Promise<void> {
  const project_id = of.projectId;
  const { artifacts, runs = [], versions = [], pins = [], priors = [] } = of;
  await db.insertInto('projects').values({ id: project_id, name: project_id }).execute();
  const datasets = [...new Set([...runs, ...versions].map(({ dataset }) => dataset))];
  const scoped = (name: string) => `${project_id} ${name}`;
  for (const name of datasets) {
    await db
      .insertInto('datasets')
      .values({ id: scoped(name), project_id, name })
      .execute();
    // What runs refer to; never READY, so that no rule sees it.
    const version = { id: scoped(`${name} any`), project_id, dataset_id: scoped(name), number: 1000, source: '{}' };
    await db
      .insertInto('dataset_versions')
      .values({ ...version, state: 'FAILED' })
      .execute();
  }
  for (const { dataset, number, importedDaysAgo, artifact } of versions) {
    await db
      .insertInto('dataset_versions')
      .values({
        ...{ id: scoped(`${dataset} ${number}`), project_id, dataset_id: scoped(dataset), number, source: '{}' },
        ...{
          state: 'READY',
          digest: `${dataset} ${number}`,
          artifact_id: artifact,
          ended_at: daysAgo(importedDaysAgo),
        },
      })
      .execute();
  }
  for (const id of ['any', ...priors]) {
    const prior = { id: scoped(`prior ${id}`), project_id, name: id, version: '1', digest: id, description: '{}' };
    await db
      .insertInto('priors')
      .values({ ...prior, artifact_id: id })
      .execute();
  }
  if (artifacts.length > 0) {
    await db
      .insertInto('artifacts')
      .values(
        artifacts.map((one) => ({
          ...{ project_id, id: one.id, kind: one.kind, stage: one.kind, title: one.id, bytes: 100 },
          ...{ manifest: JSON.stringify(drawnManifest(one)), run_id: null, task_id: null, usage: null },
          ...{ created_at: daysAgo(one.madeDaysAgo), state: one.state ?? 'KEPT' },
          ...(one.state === 'DOOMED' && { doomed_at: NOW }),
          ...(one.state === 'DELETED' && { deleted_at: NOW }),
        })),
      )
      .execute();
    const named = artifacts.filter((one) => one.state !== 'DELETED');
    for (const one of named) {
      const { sha256, bytes } = drawnManifest(one).blobs['data']!;
      await db.insertInto('blob_references').values({ project_id, sha256, bytes, artifact_id: one.id }).execute();
    }
  }
  const edges = artifacts.flatMap(({ id, inputs }) =>
    inputs.map((input_id) => ({ project_id, artifact_id: id, input_id })),
  );
  if (edges.length > 0) await db.insertInto('artifact_inputs').values(edges).execute();
  for (const run of runs) {
    await db
      .insertInto('runs')
      .values({
        ...{ id: scoped(run.id), project_id, state: run.state, recipe: '{}', recipe_digest: 'r', inputs: '{}' },
        ...{ dataset_version_id: scoped(`${run.dataset} any`), prior_id: scoped('prior any'), idempotency_key: null },
        ...{ fingerprint: 'f', traceparent: null, failure: null },
        ended_at: run.endedDaysAgo === null ? null : daysAgo(run.endedDaysAgo),
      })
      .execute();
    const rowsOf = (ids: readonly string[], direction: 'INPUT' | 'OUTPUT') =>
      ids.map((artifact_id) => ({ run_id: scoped(run.id), project_id, artifact_id, direction, stage: null }));
    const uses = [...rowsOf(run.uses, 'OUTPUT'), ...rowsOf(run.reads ?? [], 'INPUT')];
    if (uses.length > 0) await db.insertInto('run_artifacts').values(uses).execute();
    const made = artifacts.filter(({ madeBy }) => madeBy === run.id).map(({ id }) => id);
    await db
      .updateTable('artifacts')
      .set({ run_id: scoped(run.id) })
      .where('project_id', '=', project_id)
      .where('id', 'in', ['', ...made])
      .execute();
  }
  for (const artifact_id of pins) {
    await db.insertInto('artifact_pins').values({ project_id, artifact_id, note: '', pinned_by: 'test' }).execute();
  }
}

export async function statesOf(db: Kysely<Database>, projectId: string): Promise<Map<string, string>> {
  const rows = await db.selectFrom('artifacts').select(['id', 'state']).where('project_id', '=', projectId).execute();
  return new Map(rows.map(({ id, state }) => [id, state]));
}
