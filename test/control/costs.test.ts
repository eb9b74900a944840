import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { costReport } from '../../src/control/costs.ts';
import { compareRuns, paretoFront } from '../../src/control/quality.ts';
import { type CostDimension } from '../../src/control/ports.ts';
import { anyPrior, LOCAL, PRIOR, quantized, readyVersion, startWorld, type World } from './world.ts';

let world: World;
let priorId: string;
let versions: { id: string; datasetId: string }[];
beforeAll(async () => {
  world = await startWorld();
  priorId = (await anyPrior(world, PRIOR)).id;
  versions = [
    await readyVersion(world, 'letters', [{ name: 'A', images: 90 }]),
    await readyVersion(world, 'digits', [{ name: 'A', images: 91 }]),
    await readyVersion(world, 'compared', [{ name: 'A', images: 92 }]),
  ];
}, 60_000);
afterAll(() => world?.close());

const rows = () => world.catalog.project(LOCAL.projectId);

async function launched(datasetVersionId: string, more: object = {}, limits: object = {}): Promise<string> {
  const recipe = { datasetVersionId, priorId, imagesPerClass: 2, ...more };
  return (await world.control.launchRun(LOCAL, { recipe, idempotencyKey: newId('key'), limits })).run.id;
}

/** A run that quantized one class, for 0.001 dollars in 2 seconds of an hour. */
async function quantizedRun(datasetVersionId: string, more: object = {}): Promise<string> {
  const runId = await launched(datasetVersionId, more);
  // artifacts of other runs would be found, not made
  await quantized(world, runId, [runId]);
  return runId;
}

async function succeed(runId: string): Promise<void> {
  await sql`update runs set state = 'SUCCEEDED', ended_at = now() where id = ${runId}`.execute(world.db);
  await sql`update stages set state = 'SUCCEEDED', started_at = now() - interval '1 second', ended_at = now(), allocated_seconds = 2
    where run_id = ${runId} and name = 'quantize'`.execute(world.db);
}

const report = (by: CostDimension[], of: { from?: string; to?: string; first?: number } = {}) =>
  costReport(rows(), {
    by,
    from: of.from ? new Date(of.from) : null,
    to: of.to ? new Date(of.to) : null,
    first: of.first ?? 100,
  });

describe('a cost report', () => {
  beforeAll(async () => {
    const [letters, digits] = versions;
    const first = await quantizedRun(letters!.id);
    const second = await quantizedRun(digits!.id, { seed: 1 });
    const third = await quantizedRun(digits!.id, { seed: 2 });
    await sql`update attempts set ended_at = '2026-01-31T23:59:59.9Z' where run_id = ${first}`.execute(world.db);
    await sql`update attempts set ended_at = '2026-02-01T00:00:00Z', state = 'FAILED' where run_id = ${second}`.execute(
      world.db,
    );
    await sql`update attempts set ended_at = '2026-02-02T10:00:00Z', price_list = null where run_id = ${third}`.execute(
      world.db,
    );
  }, 60_000);

  it('adds up all attempts, and tells what was lost', async () => {
    const { total, rows: all, currency, hasMore } = await report([]);
    expect(currency).toBe('USD');
    expect(total).toMatchObject({ runs: 3, attempts: 3, allocatedSeconds: 6, priceLists: ['test'], stage: null });
    expect(total.costUsd).toBeCloseTo(0.003);
    expect(total.lostUsd).toBeCloseTo(0.001);
    expect(all).toEqual([total]);
    expect(hasMore).toBe(false);
  });

  it('tells months of UTC and datasets apart', async () => {
    const { rows: found } = await report(['MONTH', 'DATASET']);
    expect(found.map(({ period, datasetId, runs, attempts }) => [period, datasetId, runs, attempts])).toEqual([
      ['2026-02', versions[1]!.datasetId, 2, 2],
      ['2026-01', versions[0]!.datasetId, 1, 1],
    ]);
    expect((await report(['DAY', 'STAGE'])).rows.map(({ period, stage }) => [period, stage]).sort()).toEqual([
      ['2026-01-31', 'quantize'],
      ['2026-02-01', 'quantize'],
      ['2026-02-02', 'quantize'],
    ]);
  });

  it('has a period that begins with its first moment and ends before its last', async () => {
    const february = await report([], { from: '2026-02-01T00:00:00Z', to: '2026-02-02T10:00:00Z' });
    expect(february.total.attempts).toBe(1);
    const none = await report(['STAGE'], { from: '2030-01-01T00:00:00Z' });
    expect(none).toMatchObject({ total: { attempts: 0, costUsd: 0, runs: 0, priceLists: [] }, rows: [] });
  });

  it('says when there are more rows than were asked for', async () => {
    const { rows: found, hasMore, total } = await report(['DAY'], { first: 2 });
    expect([found.length, hasMore, total.attempts]).toEqual([2, true, 3]);
  });

  it.each([
    [['DAY', 'MONTH'] as CostDimension[], {}, /at most one of DAY and MONTH/],
    [[] as CostDimension[], { first: 0 }, /first to be a whole number from 1 to 1000, got 0/],
    [[] as CostDimension[], { from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }, /expected from before to/],
  ])('refuses %j %j', (by, of, message) => expect(report(by, of)).rejects.toThrow(message));

  it('counts nothing of another project', async () => {
    await world.catalog.ensureProject({ id: 'other', name: 'Other' });
    const other = world.catalog.project('other');
    expect((await costReport(other, { by: [], from: null, to: null, first: 1 })).total.attempts).toBe(0);
    expect(await other.spentThisMonth()).toBe(0);
    expect(await other.stageHistory(null, 10)).toEqual([]);
  });
});

describe('a budget', () => {
  beforeEach(() => world.control.budgetProject(LOCAL, null));
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error: { code: string }) => error,
    );

  it('counts this month alone, what runs included', async () => {
    const before = await rows().spentThisMonth();
    const runId = await quantizedRun(versions[0]!.id, { seed: 3 });
    expect((await rows().spentThisMonth()) - before).toBeCloseTo(0.001);
    await sql`update attempts set ended_at = null, state = 'RUNNING', running_at = now() - interval '1000 s',
      lease_expires_at = now() + interval '1 h' where run_id = ${runId}`.execute(world.db);
    // 3.6 dollars an hour
    expect((await rows().spentThisMonth()) - before).toBeCloseTo(1, 1);
    await sql`update attempts set ended_at = now() - interval '32 days', state = 'SUCCEEDED' where run_id = ${runId}`.execute(
      world.db,
    );
    expect(await rows().spentThisMonth()).toBeCloseTo(before);
  });

  it('that is spent refuses launches and retries, and says what to do; without one all go', async () => {
    const runId = await quantizedRun(versions[0]!.id, { seed: 4 });
    await world.engine.end(runId, 'RUNNING', 'FAILED');
    const set = await world.control.budgetProject(LOCAL, 0.0005);
    expect(set.monthlyBudgetUsd).toBe(0.0005);
    const refused = await refusal(launched(versions[0]!.id, { seed: 5 }));
    expect(refused).toMatchObject({ code: 'BUDGET_EXCEEDED', details: { budgetUsd: 0.0005 } });
    expect(String(refused)).toMatch(
      /expected room in the project's budget of 0.0005\d* US dollars a month, got .* spent/,
    );
    const again = world.control.retryRun(LOCAL, { runId, idempotencyKey: newId('key') });
    expect(await refusal(again)).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    await world.control.budgetProject(LOCAL, 100);
    await launched(versions[0]!.id, { seed: 5 });
  });

  it('refuses a run that is expected to cost more than it may', async () => {
    await succeed(await quantizedRun(versions[0]!.id, { seed: 6 }));
    const refused = await refusal(launched(versions[1]!.id, { seed: 7 }, { costUsd: 1e-6 }));
    expect(refused).toMatchObject({
      code: 'BUDGET_EXCEEDED',
      details: { path: ['limits', 'costUsd'], budgetUsd: 1e-6 },
    });
    await launched(versions[1]!.id, { seed: 7 }, { costUsd: 10 });
  });

  it.each([-1, NaN, Infinity])('of %s is no amount', (usd) =>
    expect(world.control.budgetProject(LOCAL, usd)).rejects.toMatchObject({ code: 'INVALID_INPUT' }),
  );
});

describe('an estimate', () => {
  const estimate = (more: object = {}) =>
    world.control.estimateRun(LOCAL, { datasetVersionId: versions[1]!.id, priorId, imagesPerClass: 2, ...more });

  it('goes by runs with the same prior, says from how many, and names what was never seen', async () => {
    await succeed(await quantizedRun(versions[1]!.id, { seed: 20 }));
    const { stages, unknown, costUsd, allocatedSeconds } = await estimate({ seed: 21 });
    const quantize = stages.find(({ stage }) => stage === 'quantize')!;
    expect(quantize).toMatchObject({ items: 91, itemsCached: 0, basis: 'SAME_PRIOR', price: { usdPerHour: 3.6 } });
    expect(quantize.runs).toBeGreaterThan(0);
    expect(quantize.costUsd!.expected).toBeCloseTo(quantize.allocatedSeconds!.expected / 1000);
    expect(unknown).toEqual(['encode', 'report']);
    expect(stages.find(({ stage }) => stage === 'encode')).toMatchObject({ basis: 'NONE', runs: 0, costUsd: null });
    expect([costUsd, allocatedSeconds]).toEqual([quantize.costUsd, quantize.allocatedSeconds]);
  });

  it('goes by other priors where this one is new, and by nothing in a project without runs', async () => {
    const fresh = (await anyPrior(world, { ...PRIOR, name: 'fresh' })).id;
    const { stages } = await estimate({ priorId: fresh });
    expect(stages.find(({ stage }) => stage === 'quantize')).toMatchObject({ basis: 'OTHER_PRIORS' });
    const stranger = { projectId: 'empty', actor: 'local' };
    await world.catalog.ensureProject({ id: 'empty', name: 'Empty' });
    const version = await readyVersion(world, 'letters', [{ name: 'A', images: 9 }], stranger);
    const prior = await anyPrior(world, PRIOR, stranger);
    const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 2 };
    const none = await world.control.estimateRun(stranger, recipe);
    expect(none).toMatchObject({ costUsd: null, wallSeconds: null });
    expect(none.unknown).toEqual(['encode', 'quantize', 'report']);
  });

  it('refuses what a launch would refuse', async () => {
    await expect(estimate({ imagesPerClass: 1000 })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(estimate({ priorId: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('runs side by side', () => {
  let runs: string[];
  beforeAll(async () => {
    runs = [];
    for (const more of [{ seed: 10 }, { seed: 11, imagesPerClass: 3 }, { seed: 12, quantizer: { restarts: 1 } }])
      runs.push(await quantizedRun(versions[2]!.id, more));
    for (const id of runs) await succeed(id);
    const figure = (id: string, w2Weighted: number, k: number, usd: number) =>
      Promise.all([
        sql`update tasks set metrics = metrics || ${JSON.stringify({ w2Weighted, k })}::jsonb where run_id = ${id}`.execute(
          world.db,
        ),
        sql`update artifacts set cost_usd = ${usd} where run_id = ${id}`.execute(world.db),
      ]);
    await figure(runs[0]!, 5, 10, 1);
    await figure(runs[1]!, 4, 20, 2);
    await figure(runs[2]!, 5, 10, 3);
  }, 60_000);

  it('tell where their recipes differ, and what they came to', async () => {
    const { runs: compared, differences } = await compareRuns(rows(), runs);
    expect(
      compared.map(({ run, images, costToMakeUsd, overall }) => [run.id, images, costToMakeUsd, overall!.w2Weighted]),
    ).toEqual([
      [runs[0], 10, 1, 5],
      [runs[1], 20, 2, 4],
      [runs[2], 10, 3, 5],
    ]);
    expect(differences).toEqual([
      { path: 'imagesPerClass', values: [2, 3, 2] },
      { path: 'quantizer.restarts', values: [10, 10, 1] },
      { path: 'seed', values: [10, 11, 12] },
    ]);
  });

  it('are some, and of this project', async () => {
    await expect(compareRuns(rows(), [])).rejects.toThrow(/1 to 20 runs, got 0: name some/);
    expect((await compareRuns(rows(), [runs[0]!, runs[0]!])).differences).toEqual([]);
    await expect(compareRuns(rows(), [runs[0]!, 'run_none'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  const front = async (...objectives: Parameters<typeof paretoFront>[1]['objectives']) => {
    const found = await paretoFront(rows(), { datasetId: versions[2]!.datasetId, objectives });
    return { ...found, front: found.front.map(({ run }) => run.id) };
  };

  it('have a front of those that nothing beats', async () => {
    expect(await front('COST', 'W2')).toMatchObject({ front: [runs[0], runs[1]], considered: 3, complete: true });
    expect(await front('W2')).toMatchObject({ front: [runs[1]] });
    expect((await front('IMAGES')).front.sort()).toEqual([runs[0], runs[2]].sort());
  });

  it('leave out what lacks a figure, and want an objective and a dataset', async () => {
    expect(await front('HELDOUT_W2')).toMatchObject({ front: [], considered: 0, leftOut: 3 });
    await expect(front()).rejects.toThrow(/at least one objective/);
    await expect(paretoFront(rows(), { datasetId: 'none', objectives: ['COST'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('of other priors are judged for themselves where W2 counts', async () => {
    const other = (await anyPrior(world, { ...PRIOR, name: 'other' })).id;
    const run = await quantizedRun(versions[2]!.id, { priorId: other, seed: 13 });
    await succeed(run);
    await sql`update tasks set metrics = metrics || '{"w2Weighted": 100, "k": 10}'::jsonb where run_id = ${run}`.execute(
      world.db,
    );
    await sql`update artifacts set cost_usd = 50 where run_id = ${run}`.execute(world.db);
    expect((await front('COST', 'W2')).front).toContain(run);
    expect((await front('COST', 'IMAGES')).front).not.toContain(run);
  });
});
