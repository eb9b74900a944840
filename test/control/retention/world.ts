/** The real engine, database and store, with tasks that write real bytes; what would compute them is scripted. */
import { sql } from 'kysely';
import { insertArtifacts } from '../../../src/adapters/database/artifact-writes.ts';
import { createRetentionStore } from '../../../src/adapters/database/retention.ts';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type PassOptions, type PassReport, retentionPass, sweepOrphans } from '../../../src/control/retention/pass.ts';
import { parsePolicy, type RetentionPolicyInput } from '../../../src/control/retention/policy.ts';
import { type ArtifactManifest, type Publications } from '../../../src/engine/ports.ts';
import {
  artifactsPrefix,
  blobsPrefix,
  createPublications,
  putBlob,
  storedObjects,
} from '../../../src/pipeline/artifacts.ts';
import { type ObjectStore } from '../../../src/pipeline/ports.ts';
import { ended, engineOver, fakeExecutor, launchRequest } from '../../support/engine.ts';
import { seedProject, type TestDatabase } from '../../support/postgres.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

export const PROJECT = 'project_1';
export const signal = new AbortController().signal;

export type RetentionWorld = Awaited<ReturnType<typeof retentionWorld>>;

export async function retentionWorld(test: TestDatabase, store: ObjectStore) {
  const objects = storedObjects(store);
  const database = { ...test, objects };
  const { db } = database;
  await seedProject(db, PROJECT);
  const retention = createRetentionStore(database);
  const rows = retention.project(PROJECT);
  const version = await imported();
  const publications = storing(store);
  const executor = fakeExecutor(publications);
  const { engine } = await engineOver(database, { publications: publications as never, executor });
  await engine.start();
  const clock = { hoursAhead: 0, now: () => new Date(Date.now() + clock.hoursAhead * 3_600_000), sleep: sleepNever };

  /** A dataset version whose manifest and blob lie in the store. */
  async function imported(): Promise<ArtifactManifest> {
    const plain = { ...manifestOf(taskOf({ stage: 'import' })), kind: 'datasetVersion' };
    const manifest = await storing(store).publish(PROJECT, plain);
    await db
      .transaction()
      .execute((tx) => insertArtifacts(tx, { projectId: PROJECT }, [{ manifest, title: 'letters' }], objects));
    await db
      .updateTable('dataset_versions')
      .set({ artifact_id: manifest.id, digest: 'd', ended_at: new Date() })
      .where('id', '=', `${PROJECT}_version`)
      .execute();
    return manifest;
  }

  const pass = (over: Partial<PassOptions> = {}): Promise<PassReport> =>
    retentionPass({ retention, store, clock, log: silentLog, ...over }, PROJECT, signal);

  return {
    database,
    db,
    store,
    objects,
    retention,
    rows,
    version,
    publications,
    executor,
    engine,
    clock,
    pass,
    sweep: (olderThanHours = 24) =>
      sweepOrphans({ retention, store, clock, log: silentLog }, PROJECT, olderThanHours, signal),
    setPolicy: (policy: RetentionPolicyInput) => rows.setPolicy(parsePolicy(policy), 'test'),

    async launch(seed: number): Promise<string> {
      const request = await launchRequest(db, {
        recipe: { seed },
        inputs: { datasetVersion: version.id, prior: 'prior-artifact' },
      });
      return (await engine.launch(request)).run.id;
    },

    /** Launches the recipe and waits for the end of its run. */
    async run(seed: number): Promise<string> {
      const id = await this.launch(seed);
      const state = await ended(db, id);
      if (state !== 'SUCCEEDED') {
        const { failure } = await db
          .selectFrom('runs')
          .select('failure')
          .where('id', '=', id)
          .executeTakeFirstOrThrow();
        throw new Error(`expected run ${id} to succeed, got ${state}: ${JSON.stringify(failure)}`);
      }
      return id;
    },

    async outputs(runId: string) {
      return await db
        .selectFrom('run_artifacts as r')
        .innerJoin('artifacts as a', (join) =>
          join.onRef('a.project_id', '=', 'r.project_id').onRef('a.id', '=', 'r.artifact_id'),
        )
        .select(['a.id', 'a.state', 'a.kind'])
        .where('r.run_id', '=', runId)
        .where('r.direction', '=', 'OUTPUT')
        .orderBy('a.id')
        .execute();
    },

    async states(runId: string): Promise<string[]> {
      return [...new Set((await this.outputs(runId)).map(({ state }) => state))];
    },

    /** Keys in the store, and those that rows which are not DELETED know of. */
    async keys(): Promise<{ store: string[]; rows: string[] }> {
      const there: string[] = [];
      for (const prefix of [artifactsPrefix(PROJECT), blobsPrefix(PROJECT)]) {
        for await (const { key } of store.list(prefix)) there.push(key);
      }
      const known = await db
        .selectFrom('artifacts')
        .select(['id', 'manifest'])
        .where('state', '!=', 'DELETED')
        .execute();
      const keys = known.flatMap(({ id, manifest }) => [
        objects.manifestKey(PROJECT, id),
        ...Object.values(manifest.blobs).map((blob) => objects.blobKey(PROJECT, blob.sha256)),
      ]);
      return { store: there.sort(), rows: [...new Set(keys)].sort() };
    },

    /** As if the process had hung for an hour since it began to delete. */
    async hourPasses(): Promise<void> {
      await sql`update swept_objects set condemned_at = condemned_at - interval '1 hour'`.execute(db);
    },

    close: () => engine.stop(),
  };
}

/**
 * Publishes with bytes of its own per artifact, and such as every artifact of the same stage and index has. Stages have
 * none.
 */
function storing(store: ObjectStore): Publications {
  const real = createPublications(store);
  const bytes = (text: string) => putBlob(store, PROJECT, new TextEncoder().encode(text), 'text/plain');
  return {
    ...real,
    async publish(projectId, manifest) {
      if (manifest.kind === 'stage') return await real.publish(projectId, manifest);
      const blobs = {
        own: await bytes(`own bytes of ${manifest.id}`),
        shared: await bytes(`bytes of ${manifest.stage} ${manifest.metrics['index']}`),
      };
      return await real.publish(projectId, { ...manifest, blobs });
    },
  };
}

const sleepNever: Clock['sleep'] = (ms, abort) => systemClock.sleep(ms, abort);
