import { afterEach, describe, expect, it } from 'vitest';
import { type ProgressReport } from '../../../src/adapters/kubernetes/executor.ts';
import { signRunToken } from '../../../src/adapters/kubernetes/run-token.ts';
import { executorWorld, type ExecutorWorld } from '../../support/kube/executor-world.ts';
import { until } from '../../support/until.ts';

const worlds: ExecutorWorld[] = [];
afterEach(() => Promise.all(worlds.splice(0).map(({ close }) => close())));

function world(): ExecutorWorld {
  const one = executorWorld();
  worlds.push(one);
  return one;
}

describe('attempts of an earlier service', () => {
  it('go on in the Jobs that they are in, with what was to be told of those that ended', async () => {
    const { kube, orders, executorOf, attemptsOf, succeed, start } = world();
    const first = executorOf();
    const left = await start(first);
    const [job] = kube.jobs() as [string];
    expect(left.map((handle) => handle.leave!())).toEqual([true, true, true]);
    await first.close();
    await succeed(job, 0);
    kube.end(job, 2, 1);
    expect([kube.jobs().length, kube.pods().length]).toEqual([1, 3]);

    const next = executorOf();
    const never = { ...orders[0]!, attemptId: 'attempt_never' };
    const handles = await next.adopt!(attemptsOf([...orders, never]));
    expect(handles[3]).toBeNull();
    expect(handles.slice(0, 3).map((handle) => handle!.reference)).toEqual(left.map(({ reference }) => reference));
    const [done, goesOn, failed] = handles as [(typeof left)[0], (typeof left)[0], (typeof left)[0]];
    expect((await done.outcome).kind).toBe('succeeded');
    expect(await failed.outcome).toMatchObject({
      kind: 'failed',
      failure: { exitCode: 1, lastLogLines: ['last words'] },
    });
    done.recorded!();
    failed.recorded!();
    expect(goesOn.alive()).toBe(true);
    expect(goesOn.leave!()).toBe(true);
    expect(left[1]!.leave!()).toBe(true);
    const [again] = await next.adopt!(attemptsOf([orders[1]!]));
    await succeed(job, 1);
    expect((await again!.outcome).kind).toBe('succeeded');
    expect(kube.jobs()).toEqual([job]);
    again!.recorded!();
    await until(() => kube.jobs().length === 0, 'the Job to go once all of it is recorded');
  });

  it('that are given up take their own pods with them, and leave what was adopted', async () => {
    const { kube, orders, executorOf, attemptsOf, start } = world();
    const [zero] = await start(executorOf());
    const next = executorOf();
    const [, one] = await next.adopt!(attemptsOf(orders.slice(0, 2)));
    const [job] = kube.jobs() as [string];
    const reference = { ...zero!.reference, index: 2, attemptId: 'attempt_2' };
    await until(() => next.release(reference), 'the third to be seen gone');
    expect(kube.pods()).toEqual([`${job}-0`, `${job}-1`]);
    expect(one!.alive()).toBe(true);
    one!.cancel();
    expect((await one!.outcome).kind).toBe('cancelled');
    expect(kube.jobs()).toEqual([job]);
  });

  it('have their progress counted wherever it is told', async () => {
    const { orders, executorOf, start } = world();
    const forwarded: ProgressReport[] = [];
    const done: number[] = [];
    const runs = executorOf();
    await start(runs, { progress: (items) => done.push(items), waiting: () => {} });
    const standby = executorOf((report) => forwarded.push(report));
    const { attemptId, runId } = orders[0]!;
    const token = signRunToken({ runId, expiresAt: new Date(Date.now() + 60_000) }, 'secret');
    standby.reportProgress(token, attemptId, 2);
    expect(forwarded).toEqual([{ runId, attemptId, itemsDone: 2 }]);
    expect(forwarded.map((report) => runs.takeProgress(report))).toEqual([true]);
    expect(done).toEqual([2]);
    expect(runs.takeProgress({ runId: 'another', attemptId, itemsDone: 3 })).toBe(false);
    expect(() => standby.reportProgress('a.b', attemptId, 2)).toThrow(/token of a run/);
    expect(forwarded).toHaveLength(1);
  });
});
