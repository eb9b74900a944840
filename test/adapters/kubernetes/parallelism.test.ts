import { afterEach, describe, expect, it } from 'vitest';
import { PushforwardError } from '../../../src/base/errors.ts';
import { executorWorld, type ExecutorWorld } from '../../support/kube/executor-world.ts';
import { until } from '../../support/until.ts';

const worlds: ExecutorWorld[] = [];
afterEach(() => Promise.all(worlds.splice(0).map(({ close }) => close())));

function world(of: Parameters<typeof executorWorld>[0] = {}): ExecutorWorld {
  const one = executorWorld({ parallelism: 2, ...of });
  worlds.push(one);
  return one;
}

const indexes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('the attempts of a stage', () => {
  it('have no more pods at once than their class allows, in however many Jobs they come', async () => {
    const { kube, orderOfIndex, executorOf, start } = world();
    const executor = executorOf();
    const first = await start(executor, undefined, indexes(0, 5).map(orderOfIndex));
    const [job] = kube.jobs();
    expect([kube.jobs().length, kube.running().length]).toEqual([1, 2]);

    const waits = new Set<string | null>();
    const observer = { progress: () => {}, waiting: (reason: string | null) => void waits.add(reason) };
    const later = [];
    for (const index of indexes(5, 9)) later.push(...(await start(executor, observer, [orderOfIndex(index)])));
    expect([...waits]).toEqual(['its stage has as many pods as it may (2)']);
    expect([kube.jobs(), later.every(({ alive }) => alive())]).toEqual([[job], true]);

    let ended = 0;
    for (const handle of [...first, ...later]) {
      void handle.outcome.then(() => {
        ended++;
        handle.recorded!();
      });
    }
    await until(() => {
      const [one] = kube.running();
      if (one) kube.end(one.job, one.index, 1);
      return ended === 9;
    });
    expect(kube.mostAtOnce()).toBe(2);
    expect(waits).toContain(null);
    await until(() => kube.jobs().length === 0, 'every Job to go');
  });

  it('go into one Job again where none is under way', async () => {
    const { kube, orderOfIndex, executorOf, start } = world();
    const executor = executorOf();
    const [only] = await start(executor, undefined, [orderOfIndex(0)]);
    const [job] = kube.jobs() as [string];
    const rest = indexes(1, 6).map(orderOfIndex);
    const handles = await start(executor, undefined, rest);
    // One beside the first, and four that wait.
    expect(kube.running()).toHaveLength(2);
    only!.cancel();
    handles[0]!.cancel();
    await Promise.all([only!.outcome, handles[0]!.outcome]);
    await until(() => kube.jobs().length === 1 && kube.jobs()[0] !== job && kube.running().length === 2);
    expect(kube.mostAtOnce()).toBe(2);
  });

  it('of another stage or run have pods of their own', async () => {
    const { kube, orders, orderOfIndex, executorOf, start } = world();
    const other = { ...orderOfIndex(3), runId: 'run_2' };
    const stage = { ...orderOfIndex(4), task: { ...orderOfIndex(4).task, stage: 'decode' } };
    await start(executorOf(), undefined, [...orders, other, stage]);
    expect([kube.jobs().length, kube.running().length]).toEqual([3, 4]);
  });

  it('that wait for room end at once when they are cancelled, and are left to nobody', async () => {
    const { kube, orders, orderOfIndex, executorOf, start } = world();
    const executor = executorOf();
    await start(executor);
    const [waiting] = await start(executor, undefined, [orderOfIndex(3)]);
    expect(waiting!.leave!()).toBe(false);
    waiting!.cancel();
    expect(await waiting!.outcome).toMatchObject({ kind: 'cancelled', usage: { allocatedSeconds: 0 } });
    expect(await executor.release({ attemptId: 'attempt_3' })).toBe(true);
    const [job] = kube.jobs() as [string];
    for (const index of orders.keys())
      await until(() => kube.running().some((one) => one.index === index)).then(() => kube.end(job, index, 1));
    expect(kube.jobs()).toEqual([job]);
  });

  it('that wait for room fail with what kept their Job from being created', async () => {
    let made = 0;
    const { kube, orderOfIndex, executorOf, start } = world({
      wrap: (cluster) => ({
        ...cluster,
        async createJob(job) {
          if (++made > 1) throw new PushforwardError('FORBIDDEN', 'a quota is used up');
          return cluster.createJob(job);
        },
      }),
    });
    const executor = executorOf();
    await start(executor);
    const [waiting] = await start(executor, undefined, [orderOfIndex(3)]);
    const [job] = kube.jobs() as [string];
    kube.end(job, 0, 1);
    kube.end(job, 1, 1);
    expect(await waiting!.outcome).toMatchObject({ kind: 'failed', failure: { error: { code: 'FORBIDDEN' } } });
  });

  it('leave no order behind where their Job is refused', async () => {
    const { orders, executorOf, start, ordersInStore } = world({
      wrap: (cluster) => ({
        ...cluster,
        async createJob() {
          expect(await ordersInStore()).toHaveLength(orders.length);
          throw new PushforwardError('FORBIDDEN', 'a quota is used up');
        },
      }),
    });
    await expect(start(executorOf())).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await until(async () => (await ordersInStore()).length === 0);
  });

  it('make room for one another across services', async () => {
    const { kube, orderOfIndex, executorOf, attemptsOf, start } = world();
    const left = await start(executorOf());
    left.forEach((handle) => handle.leave!());
    const next = executorOf();
    const [waiting] = await start(next, undefined, [orderOfIndex(3)]);
    expect(kube.jobs()).toHaveLength(1);
    const adopted = await next.adopt!(attemptsOf());
    const [job] = kube.jobs() as [string];
    kube.end(job, 0, 1);
    expect((await adopted[0]!.outcome).kind).toBe('failed');
    kube.end(job, 1, 1);
    await until(() => kube.jobs().length === 2);
    expect(kube.mostAtOnce()).toBe(2);
    waiting!.cancel();
    expect((await waiting!.outcome).kind).toBe('cancelled');
  });
});
