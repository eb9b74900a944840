import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createLocalExecutor, type LocalExecutorOptions } from '../../../src/adapters/processes/local-executor.ts';
import { failureOfDeath } from '../../../src/adapters/processes/death.ts';
import { silentLog } from '../../../src/base/log.ts';
import { hostIdentity, identify, isAlive, type ProcessIdentity } from '../../../src/base/process-identity.ts';
import { type AttemptOutcome, type Executor } from '../../../src/engine/ports.ts';
import { orderOf, taskOf } from '../../support/tasks.ts';
import { until } from '../../support/until.ts';

const workerPath = fileURLToPath(new URL('../../support/order-worker.ts', import.meta.url));
const parentPath = fileURLToPath(new URL('../../support/parent-of-worker.ts', import.meta.url));
const execArgv = ['--import', 'tsx'];
const executors: Executor[] = [];

function executorOf(options: Partial<LocalExecutorOptions> = {}): Executor {
  const executor = createLocalExecutor({
    slots: 2,
    priceUsdPerHour: 3.6,
    workerPath,
    execArgv,
    env: process.env,
    log: silentLog,
    goneElsewhereAfterMs: 3_600_000,
    killAfterMs: 400,
    ...options,
  });
  executors.push(executor);
  return executor;
}

afterEach(async () => {
  await Promise.all(executors.splice(0).map((executor) => executor.close()));
});

async function start(executor: Executor, what: string, stage = 'encode') {
  const progress: number[] = [];
  const handle = await executor.start(orderOf(taskOf({ stage, options: { do: what } })), {
    progress: (done) => progress.push(done),
    waiting: () => {},
  });
  return { handle, progress, identity: handle.reference as unknown as ProcessIdentity };
}

function failureOf(outcome: AttemptOutcome) {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${outcome.kind}`);
  return outcome.failure;
}

describe('an order', () => {
  it('succeeds with its result, progress and usage, and its process is used again', async () => {
    const executor = executorOf();
    const { handle, progress } = await start(executor, 'succeed');
    expect(handle.alive()).toBe(true);
    const outcome = await handle.outcome;
    if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome));
    expect(progress).toEqual([1, 2]);
    expect(outcome.result.usage).toMatchObject({ bytesRead: 7, bytesWritten: 9 });
    expect(outcome.result.usage.allocatedSeconds).toBeGreaterThan(0);
    expect(outcome.result.usage.peakMemoryBytes).toBeGreaterThan(1e7);
    expect(executor.price({ stage: 'encode', execution: {} })).toEqual({
      usdPerHour: 3.6,
      list: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
    });

    const again = await start(executor, 'succeed');
    expect(again.handle.reference).toEqual(handle.reference);
    await again.handle.outcome;
    const otherStage = await start(executor, 'succeed', 'decode');
    expect(otherStage.handle.reference).toEqual(handle.reference);
    await otherStage.handle.outcome;
  });

  it('gets a fresh process where that of the stage before holds too much', async () => {
    const executor = executorOf({ keepBelowBytes: 1 });
    const first = await start(executor, 'succeed');
    await first.handle.outcome;
    const sameStage = await start(executor, 'succeed');
    expect(sameStage.identity).toEqual(first.identity);
    await sameStage.handle.outcome;
    const otherStage = await start(executor, 'succeed', 'decode');
    expect(otherStage.identity).not.toEqual(first.identity);
    await otherStage.handle.outcome;
    await until(() => !isAlive(first.identity), 'the process of the other stage to end');
  });

  it('is told its own peak of memory, not that of the orders before', async () => {
    const peak = async (what: string) => {
      const { handle } = await start(executor, what);
      const outcome = await handle.outcome;
      if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome));
      return outcome.result.usage.peakMemoryBytes;
    };
    const executor = executorOf({ slots: 1 });
    expect(await peak('fill')).toBeGreaterThan(400e6);
    expect(await peak('succeed')).toBeLessThan(400e6);
  });

  it("fails with the class of the handler's error, and the process lives on", async () => {
    const executor = executorOf();
    const first = await start(executor, 'userError');
    expect(failureOf(await first.handle.outcome)).toMatchObject({
      class: 'userError',
      error: { code: 'EMPTY_CLASS', message: 'expected images, got none: add some', details: { class: 'a' } },
    });
    const second = await start(executor, 'throw');
    const failure = failureOf(await second.handle.outcome);
    expect(failure).toMatchObject({ class: 'internal', error: { code: 'INTERNAL', message: 'not ours' } });
    expect(second.handle.reference).toEqual(first.handle.reference);
  });

  it('comes with the trace context of its attempt', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const order = orderOf(taskOf({ stage: 'encode', options: { do: 'trace' } }));
    const handle = await executorOf().start({ ...order, traceparent }, { progress() {}, waiting() {} });
    expect(failureOf(await handle.outcome).error.message).toBe(traceparent);
  });

  it('fails with exit code and log lines when the worker exits', async () => {
    const { handle } = await start(executorOf(), 'crash');
    const failure = failureOf(await handle.outcome);
    expect(failure).toMatchObject({ class: 'internal', exitCode: 3, signal: null });
    expect(failure.lastLogLines).toContain('order attempt_1: crash');
    expect(handle.alive()).toBe(false);
  });

  it('is lost when something kills the worker', async () => {
    const { handle } = await start(executorOf(), 'sigkill');
    const failure = failureOf(await handle.outcome);
    expect(failure).toMatchObject({ class: 'lost', signal: 'SIGKILL', exitCode: null, error: { code: 'WORKER_LOST' } });
  });

  it.each(['hang', 'deaf', 'block'])('that does %s is cancelled and its process seen gone', async (what) => {
    const { handle, progress, identity } = await start(executorOf(), what);
    await until(() => what === 'block' || progress.length === 1);
    handle.cancel();
    handle.cancel();
    const outcome = await handle.outcome;
    expect(outcome.kind).toBe('cancelled');
    expect(isAlive(identity)).toBe(false);
  });

  it('that is stopped is no evidence, and is seen gone once it was asked to go', async () => {
    const { handle, identity } = await start(executorOf(), 'hang');
    process.kill(identity.pid, 'SIGSTOP');
    await until(() => !handle.alive(), 'the stopped process to count for nothing');
    process.kill(identity.pid, 'SIGCONT');
    await until(() => handle.alive(), 'the process that goes on to count again');
    process.kill(identity.pid, 'SIGSTOP');
    handle.cancel();
    expect((await handle.outcome).kind).toBe('cancelled');
    expect(isAlive(identity)).toBe(false);
  });

  it('is not given to an idle worker that is stopped', async () => {
    const executor = executorOf();
    const first = await start(executor, 'succeed');
    await first.handle.outcome;
    process.kill(first.identity.pid, 'SIGSTOP');
    await until(() => !first.handle.alive());
    const second = await start(executor, 'succeed');
    expect(second.identity.pid).not.toBe(first.identity.pid);
    expect((await second.handle.outcome).kind).toBe('succeeded');
    await until(() => !isAlive(first.identity), 'the stopped one to end');
  });

  it('that was answered is not hit by a late cancel', async () => {
    const executor = executorOf();
    const first = await start(executor, 'succeed');
    await first.handle.outcome;
    const second = await start(executor, 'succeed');
    first.handle.cancel();
    expect((await second.handle.outcome).kind).toBe('succeeded');
  });
});

describe('a process', () => {
  it('ends when idle, and after its share of orders', async () => {
    const idle = await start(executorOf({ idleMs: 50 }), 'succeed');
    await idle.handle.outcome;
    await until(() => !isAlive(idle.identity), 'the idle process to end');
    const used = await start(executorOf({ ordersPerWorker: 1 }), 'succeed');
    await used.handle.outcome;
    await until(() => !isAlive(used.identity), 'the used process to end');
  });

  it.each(['hang', 'block'])('whose service is killed ends too, even while it does %s', async (what) => {
    const parent = spawn(process.execPath, [...execArgv, parentPath, workerPath, what], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const worker = JSON.parse(line) as ProcessIdentity;
    expect(isAlive(worker)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(worker), 'the orphan to end');
  });

  it('of an earlier service is released by its id and start time', async () => {
    const executor = executorOf();
    const { handle, identity } = await start(executor, 'deaf');
    const another = { pid: identity.pid, startTime: identity.startTime! - 1 };
    expect(await executor.release({ ...another })).toBe(true);
    expect(isAlive(identity)).toBe(true);
    expect(await executor.release({ ...identity, attemptId: 'attempt_1' })).toBe(true);
    expect(isAlive(identity)).toBe(false);
    await handle.outcome;
    expect(await executor.release({ attemptId: 'attempt_1' })).toBe(true);
  });

  it('of another host is not seen gone before the time is over that it has to end', async () => {
    const executor = executorOf();
    const { handle } = await start(executor, 'hang');
    const reference = { ...handle.reference, attemptId: 'attempt_1' };
    expect(reference).toMatchObject({ host: hostIdentity() });
    // The process id is that of a process here, or of none: it says nothing of the other host.
    for (const pid of [handle.reference['pid']!, 2 ** 22]) {
      expect(await executor.release({ ...reference, pid, host: 'another boot' })).toBe(false);
    }
    expect(handle.alive()).toBe(true);
    const patient = executorOf({ goneElsewhereAfterMs: 50 });
    const other = { ...reference, host: 'another boot' };
    expect(await patient.release(other)).toBe(false);
    await until(() => patient.release(other), 'it to count as gone');
    expect(handle.alive()).toBe(true);
  });

  it('waits for the next order that needs a fresh one, once the executor is prepared', async () => {
    const started: unknown[] = [];
    const log = { ...silentLog, with: (fields: object) => (started.push((fields as { worker: number }).worker), log) };
    const executor = executorOf({ log, keepBelowBytes: 1 });
    executor.prepare!();
    executor.prepare!();
    await until(() => started.length === 1, 'one process to be started');
    const first = await start(executor, 'succeed');
    expect(first.identity.pid).toBe(started[0]);
    await until(() => started.length === 2, 'the next to be started');
    await first.handle.outcome;
    const second = await start(executor, 'hang', 'decode');
    expect(second.identity.pid).toBe(started[1]);
    await until(() => started.length === 3, 'another to be started');
    process.kill(started[2] as number, 'SIGKILL');
    await until(() => !isAlive(identify(started[2] as number)), 'the one that waits to be killed');
    const third = await start(executor, 'succeed');
    expect((await third.handle.outcome).kind).toBe('succeeded');
    await executor.close();
    for (const pid of started) expect(isAlive(identify(pid as number))).toBe(false);
  });

  it('that cannot be started is a failure to start', async () => {
    const { handle } = await start(executorOf({ workerPath: '/nowhere/worker.js', execArgv: [] }), 'succeed');
    expect(failureOf(await handle.outcome).exitCode).toBe(1);
  });
});

describe('the failure of a death', () => {
  const killed = { exitCode: null, signal: 'SIGKILL', lastLogLines: [] };

  it.each([
    ['a counted out-of-memory kill', { ...killed, oomKills: 1 }, 'outOfMemory'],
    ['no counted kill', { ...killed, oomKills: 0 }, 'lost'],
    ['a kernel that does not say', { ...killed, oomKills: null }, 'lost'],
    ['exit code 137 and a counted kill', { ...killed, signal: null, exitCode: 137, oomKills: 2 }, 'outOfMemory'],
    [
      'a full heap',
      { exitCode: null, signal: 'SIGABRT', oomKills: 0, lastLogLines: ['FATAL: JavaScript heap out of memory'] },
      'outOfMemory',
    ],
    ['another signal', { exitCode: null, signal: 'SIGSEGV', oomKills: 0, lastLogLines: [] }, 'lost'],
    ['an exit code', { exitCode: 1, signal: null, oomKills: 0, lastLogLines: [] }, 'internal'],
  ])('with %s', (_, death, expected) => {
    expect(failureOfDeath(death).class).toBe(expected);
  });
});

it('a process is known by more than its id', () => {
  const self = identify(process.pid);
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ pid: process.pid, startTime: (self.startTime ?? 0) + 1 })).toBe(self.startTime === null);
});
