import { expect } from 'vitest';
import { canonicalJson, sha256 } from '../../../src/base/json.ts';
import { artifactKey, blobKey } from '../../../src/pipeline/artifacts.ts';
import { type ArtifactManifest } from '../../../src/engine/ports.ts';
import { type HistoryEvent, replay, type States } from './history.ts';
import { makeOld, type World } from './world.ts';

/** Digests by what they are of. */
export type MadeArtifacts = Record<string, string>;

/**
 * Everything that a run made, by artifact: digests of its manifest and of each of its blobs, as the store has them. The page
 * of the report tells seconds and is left out, and the manifest of its stage with it, whose name follows from the page's.
 */
export async function madeBy(world: World, runId: string): Promise<MadeArtifacts> {
  const rows = await world.query<{ id: string; project: string }>(
    `select artifact_id as id, project_id as project from run_artifacts where run_id = $1 and direction = 'OUTPUT'`,
    [runId],
  );
  const made: MadeArtifacts = {};
  for (const { id, project } of rows) {
    const bytes = await world.store.objects.get(artifactKey(project, id));
    const manifest = JSON.parse(new TextDecoder().decode(bytes)) as ArtifactManifest;
    if (manifest.kind === 'report' || (manifest.kind === 'stage' && manifest.stage === 'report')) continue;
    made[id] = `${manifest.stage} ${sha256(canonicalJson(manifest))}`;
    for (const [name, blob] of Object.entries(manifest.blobs)) {
      const digest = sha256(await world.store.objects.get(blobKey(project, blob.sha256)));
      expect(digest).toBe(blob.sha256);
      made[`${id} ${name}`] = digest;
    }
  }
  return made;
}

/**
 * The promises, after a run that faults went through: it is the only one of its key; its history has no move that the
 * table of the engine lacks, and ends where its rows are; nothing of it runs; what it made is what an undisturbed run
 * makes, byte for byte; the sweep leaves nothing that no row knows, and lacks nothing that one does.
 */
export async function expectWhole(
  world: World,
  of: { runId: string; idempotencyKey: string; undisturbed: MadeArtifacts },
): Promise<void> {
  await expectOneRun(world, of);
  await expectLegalHistory(world, of.runId);
  expect(await madeBy(world, of.runId)).toEqual(of.undisturbed);
  await expectNoOrphans(world);
  expect(await madeBy(world, of.runId)).toEqual(of.undisturbed);
}

async function expectOneRun(
  world: World,
  { runId, idempotencyKey }: { runId: string; idempotencyKey: string },
): Promise<void> {
  expect(await world.launch(idempotencyKey)).toEqual({ runId, reused: true });
  const runs = await world.query(`select id from runs where idempotency_key = $1`, [idempotencyKey]);
  expect(runs).toEqual([{ id: runId }]);
}

export async function expectLegalHistory(world: World, runId: string): Promise<void> {
  const events = await world.query<HistoryEvent & Record<string, unknown>>(
    `select sequence, type, payload from run_events where run_id = $1 order by sequence`,
    [runId],
  );
  const { faults, ...ends } = replay(events.map((event) => ({ ...event, sequence: Number(event.sequence) })));
  expect(faults).toEqual([]);
  const rows = await statesOf(world, runId);
  for (const [id, state] of Object.entries(rows.attempts)) {
    expect(state).not.toBe('RUNNING');
    // The success of an attempt that its task had gone on without is no event.
    if (state === 'SUCCEEDED' && ends.attempts[id] === 'RUNNING') ends.attempts[id] = state;
  }
  for (const id of Object.keys(rows.tasks)) ends.tasks[id] ??= 'PENDING';
  expect(ends).toEqual(rows);
}

async function statesOf(world: World, runId: string): Promise<States> {
  const of = async (text: string) =>
    Object.fromEntries(
      (await world.query<{ id: string; state: string }>(text, [runId])).map(({ id, state }) => [id, state]),
    );
  const [run] = await world.query<{ state: string }>('select state from runs where id = $1', [runId]);
  return {
    run: run!.state,
    stages: await of('select name as id, state from stages where run_id = $1'),
    tasks: await of('select id, state from tasks where run_id = $1'),
    attempts: await of('select id, state from attempts where run_id = $1'),
  } as States;
}

interface Differences {
  storeWithoutRow: { count: number };
  young: { count: number };
  rowWithoutStore: { count: number };
}

async function expectNoOrphans(world: World): Promise<void> {
  await makeOld(world.store.folder);
  await world.send('SweepOrphans', { olderThanHours: 1 });
  const { orphans } = await world.send<{ orphans: Differences }>('Orphans', { olderThanHours: 1 });
  expect(orphans).toMatchObject({ storeWithoutRow: { count: 0 }, young: { count: 0 }, rowWithoutStore: { count: 0 } });
}
