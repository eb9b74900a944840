/** Scheduled passes: who gets one, how often, and what happens where one fails. */
import { describe, expect, it } from 'vitest';
import { type Clock } from '../../../src/base/clock.ts';
import { PushforwardError } from '../../../src/base/errors.ts';
import { type Log, silentLog } from '../../../src/base/log.ts';
import { type ProjectRetention, type RetentionStore } from '../../../src/control/ports.ts';
import { TAKE_OVER_MS } from '../../../src/control/retention/deletion.ts';
import { createRetentionRunner } from '../../../src/control/retention/runner.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { until } from '../../support/until.ts';

const EVERY_MS = 3_600_000;

/** Time that moves when the test says so; rows that are scripted. */
function scripted() {
  const stop = new AbortController();
  const sleeps: { ms: number; wake: () => void }[] = [];
  const clock: Clock = {
    now: () => new Date('2026-01-01T00:00:00Z'),
    sleep: (ms, signal) =>
      new Promise((wake) => {
        sleeps.push({ ms, wake });
        signal?.addEventListener('abort', () => wake(), { once: true });
      }),
  };
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
  const state = {
    projects: [] as { projectId: string; interrupted: boolean }[],
    claimed: false,
    fails: null as Error | null,
    passes: [] as string[],
  };
  const retention: RetentionStore = {
    projects: async () => {
      if (state.fails) throw state.fails;
      return state.projects;
    },
    claimPass: async () => (state.claimed ? null : { lost: new AbortController().signal, release: async () => {} }),
    project: (projectId) =>
      ({
        forgetGone: async () => {},
        takeInterrupted: async () => ({ sweep: '', keys: [] }),
        policy: async () => {
          state.passes.push(projectId);
          if (projectId === 'broken') throw new PushforwardError('STORE_UNAVAILABLE', 'away');
          return null;
        },
      }) as Partial<ProjectRetention> as ProjectRetention,
  };
  const runner = createRetentionRunner(
    { retention, store: createMemoryStore(), clock, log, everyMs: EVERY_MS },
    stop.signal,
  );
  return { state, runner, sleeps, warnings, stop, asleep: (times: number) => until(() => sleeps.length === times) };
}

const policy = (projectId: string) => ({ projectId, interrupted: false });

describe('scheduled passes', () => {
  it('begin after the first pause, go over every project with a policy, and end when told to', async () => {
    const { state, runner, sleeps, stop, asleep } = scripted();
    state.projects = [policy('a'), policy('b')];
    runner.start();
    await asleep(1);
    expect(state.passes).toEqual([]);
    expect(sleeps[0]!.ms).toBe(EVERY_MS);
    sleeps[0]!.wake();
    await asleep(2);
    expect(state.passes).toEqual(['a', 'b']);
    stop.abort();
    await runner.stopped();
    expect(state.passes).toEqual(['a', 'b']);
  });

  it('take up at once what was interrupted, and look again as soon as it may be taken over', async () => {
    const { state, runner, sleeps, stop, asleep } = scripted();
    state.projects = [policy('a'), { projectId: 'half', interrupted: true }];
    runner.start();
    await asleep(1);
    expect(state.passes).toEqual(['half']);
    expect(sleeps[0]!.ms).toBe(TAKE_OVER_MS);
    stop.abort();
    await runner.stopped();
  });

  it('go on where one fails, where the database is away, and where another service has its turn', async () => {
    const { state, runner, sleeps, warnings, stop, asleep } = scripted();
    state.projects = [policy('broken'), policy('b')];
    runner.start();
    await asleep(1);
    sleeps[0]!.wake();
    await asleep(2);
    expect(state.passes).toEqual(['broken', 'b']);
    expect(warnings).toEqual(['a retention pass failed; the next one goes on']);
    state.claimed = true;
    sleeps[1]!.wake();
    await asleep(3);
    expect([state.passes.length, warnings.length]).toEqual([2, 1]);
    state.fails = new PushforwardError('DATABASE_UNAVAILABLE', 'away');
    sleeps[2]!.wake();
    await asleep(4);
    expect(warnings.at(-1)).toBe('retention waits for the database');
    stop.abort();
    await runner.stopped();
  });
});
