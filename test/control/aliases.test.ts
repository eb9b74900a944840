import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { gateResults } from '../../src/control/aliases.ts';
import { impactOf, lineagePage } from '../../src/control/lineage.ts';
import { type Gate } from '../../src/control/views.ts';
import { anyPrior, LOCAL, PRIOR, quantized, readyVersion, reported, startWorld, type World } from './world.ts';

let world: World;
let version: { id: string };
let priorId: string;
beforeAll(async () => {
  world = await startWorld();
  version = await readyVersion(world, 'letters', [{ name: 'A', images: 90 }]);
  priorId = (await anyPrior(world, PRIOR)).id;
}, 60_000);
afterAll(() => world?.close());

const rows = () => world.catalog.project(LOCAL.projectId);
let alias: string;
beforeEach(() => (alias = `alias-${newId('x').slice(-6)}`));

/** Of a run with one class, whose W2 is 2. */
async function dataset(): Promise<string> {
  const recipe = { datasetVersionId: version.id, priorId, imagesPerClass: 5 };
  const { run } = await world.control.launchRun(LOCAL, { recipe, idempotencyKey: newId('key') });
  await quantized(world, run.id, [run.id]);
  const { id } = await reported(world, run.id, run.id);
  await sql`update runs set state = 'SUCCEEDED', ended_at = now() where id = ${run.id}`.execute(world.db);
  return id;
}

const promote = (artifactId: string, override: string | null = null) =>
  world.control.promoteArtifact(LOCAL, { alias, artifactId, override });
const w2AtMost = (atMost: number): Gate => ({
  ...{ figure: 'W2', scope: 'OVERALL', against: 'NOTHING', atMost, atLeast: null },
});
const numbers = () => rows().versionsOfAliases([{ alias, before: null, first: 10 }]);

describe('an alias', () => {
  it('stands for what was promoted last, and keeps what it stood for before', async () => {
    const [one, two] = [await dataset(), await dataset()];
    expect(await promote(one)).toMatchObject({ reused: false, version: { number: 1, artifactId: one, gates: [] } });
    expect(await promote(one)).toMatchObject({ reused: true, version: { number: 1 } });
    expect(await promote(two)).toMatchObject({ version: { number: 2, promotedBy: 'local', override: null } });
    expect((await rows().aliasByName(alias))!.current).toMatchObject({ number: 2, artifactId: two });
    expect((await numbers()).map(({ number, artifactId }) => [number, artifactId])).toEqual([
      [2, two],
      [1, one],
    ]);
    expect(await rows().aliasesOfArtifacts([one, two])).toMatchObject([{ artifactId: two }]);
  });

  it('goes back to what it stood for, as a version of its own', async () => {
    const [one, two, three] = [await dataset(), await dataset(), await dataset()];
    const revert = (toNumber: number | null) => world.control.revertAlias(LOCAL, { alias, toNumber });
    await promote(one);
    await expect(revert(null)).rejects.toThrow('got 1: promote another before you go back');
    for (const id of [two, three]) await promote(id);
    expect(await revert(null)).toMatchObject({ number: 4, artifactId: two, revertsTo: 2 });
    expect(await revert(1)).toMatchObject({ number: 5, artifactId: one, revertsTo: 1 });
    for (const toNumber of [0, 5, 99])
      await expect(revert(toNumber)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: ['toNumber'] } });
    await expect(world.control.revertAlias(LOCAL, { alias: 'nowhere', toNumber: null })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('tells of each promotion and reversal as an event of the project', async () => {
    const [one, two] = [await dataset(), await dataset()];
    await promote(one);
    await promote(two);
    await promote(two);
    await world.control.revertAlias(LOCAL, { alias, toNumber: null });
    const page = { first: 3, after: null };
    const told = (await rows().projectEvents(page, ['alias.promoted', 'alias.reverted'])).items;
    expect(told).toMatchObject([
      { type: 'alias.reverted', subject: alias, payload: { artifactId: one, previousArtifactId: two, revertsTo: 1 } },
      { type: 'alias.promoted', subject: alias, payload: { number: 2, artifactId: two, previousArtifactId: one } },
      { type: 'alias.promoted', subject: alias, payload: { number: 1, artifactId: one, previousArtifactId: null } },
    ]);
    expect((await rows().projectEvents({ first: 1, after: told[0]!.id }, null)).items).toEqual([told[1]]);
    expect(await world.catalog.project('another').projectEvents(page, null)).toEqual({ items: [], hasMore: false });
  });

  it('takes nothing that its gates do not let through, but for a reason', async () => {
    const artifactId = await dataset();
    await world.control.setAliasGates(LOCAL, { alias, gates: [w2AtMost(3), w2AtMost(1)] });
    await expect(promote(artifactId)).rejects.toMatchObject({
      code: 'GATES_FAILED',
      message: expect.stringMatching(/got W2 is 2, expected at most 1: promote another/) as string,
      details: { gates: [{ verdict: 'PASSED' }, { verdict: 'FAILED', value: 2 }] },
    });
    expect(await numbers()).toEqual([]);
    expect(await gateResults(rows(), { alias, artifactId })).toMatchObject([{}, { verdict: 'FAILED' }]);
    await expect(promote(artifactId, '  ')).rejects.toMatchObject({ details: { path: ['override'] } });
    expect((await promote(artifactId, ' the old one is broken ')).version).toMatchObject({
      ...{ override: 'the old one is broken', gates: [{}, { verdict: 'FAILED' }] },
    });
    await world.control.setAliasGates(LOCAL, { alias, gates: [] });
    expect((await promote(await dataset(), 'not needed')).version).toMatchObject({ number: 2, override: null });
  });

  it('takes synthetic datasets alone', async () => {
    await expect(promote(newId('none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const [prior] = await rows().priorsById([priorId]);
    await expect(promote(prior!.artifactId)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    for (const name of ['', 'Production', '-x', 'x'.repeat(64), 'a b'])
      await expect(
        world.control.promoteArtifact(LOCAL, { alias: name, artifactId: 'x', override: null }),
      ).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: ['alias'] } });
  });

  it('takes one after another of those who promote at once', async () => {
    const ids = await Promise.all([dataset(), dataset(), dataset(), dataset()]);
    await Promise.all(ids.map((id) => promote(id)));
    const found = await numbers();
    expect(found.map(({ number }) => number)).toEqual([4, 3, 2, 1]);
    expect(new Set(found.map(({ artifactId }) => artifactId))).toEqual(new Set(ids));
  });

  it('holds what it stands for and what it would go back to, until others are promoted', async () => {
    const [one, two, three] = [await dataset(), await dataset(), await dataset()];
    for (const id of [one, two]) await promote(id);
    const invalidate = (id: string) => world.control.retention.invalidate(LOCAL, [id], 'wrong');
    for (const id of [one, two]) await expect(invalidate(id)).rejects.toThrow('that an alias stands for');
    const policy = { ...{ keepDays: 0, keepRuns: 0, keepVersions: null, kinds: [], graceHours: 0 } };
    const doomed = async () => {
      const { items } = await world.options.retention
        .project(LOCAL.projectId)
        .planItems(policy, new Date(Date.now() + 60_000), { first: 1000, after: null });
      return items.map(({ artifact }) => artifact.id).filter((id) => [one, two, three].includes(id));
    };
    expect(await doomed()).toEqual([three]);
    await promote(three);
    expect(await doomed()).toEqual([one]);
    expect(await invalidate(one)).toMatchObject({ artifacts: 1 });
    await expect(world.control.revertAlias(LOCAL, { alias, toNumber: 1 })).rejects.toMatchObject({
      code: 'ARTIFACT_DELETED',
    });
    await expect(promote(one)).rejects.toMatchObject({ code: 'ARTIFACT_DELETED' });
  });

  it('is downstream of all that its dataset was made from', async () => {
    const artifactId = await dataset();
    const { version: promoted } = await promote(artifactId);
    const down = await lineagePage(
      rows(),
      { from: { kind: 'DATASET_VERSION', id: version.id }, direction: 'DOWNSTREAM', depth: 3 },
      { first: 100, after: null },
    );
    expect(down.items).toContainEqual({ kind: 'ALIAS_VERSION', id: promoted.id, depth: 3 });
    const up = await lineagePage(
      rows(),
      { from: { kind: 'ALIAS_VERSION', id: promoted.id }, direction: 'UPSTREAM', depth: 1 },
      { first: 100, after: null },
    );
    expect(up.items).toEqual([{ kind: 'ARTIFACT', id: artifactId, depth: 1 }]);
    const { aliases } = await impactOf(rows(), version.id);
    expect(aliases).toContainEqual(promoted);
  });
});
