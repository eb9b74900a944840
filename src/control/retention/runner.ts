import { PushforwardError } from '../../base/errors.ts';
import { TAKE_OVER_MS } from './deletion.ts';
import { type PassOptions, type PassReport, retentionPass } from './pass.ts';

/**
 * A pass over every project that has something to do, every so often; at the start over those where a deletion was
 * interrupted. One that fails is logged and tried at the next.
 */
export function createRetentionRunner(of: PassOptions & { everyMs: number }, signal: AbortSignal) {
  const { retention, clock, log, everyMs } = of;

  async function passes(which: 'all' | 'interrupted'): Promise<void> {
    for (const { projectId, interrupted } of await retention.projects()) {
      if (signal.aborted) return;
      if (which === 'interrupted' && !interrupted) continue;
      try {
        const report = await retentionPass(of, projectId, signal);
        log.info('retention pass', { projectId, ...figures(report) });
      } catch (error) {
        if (signal.aborted) return;
        // Another replica's turn.
        if (error instanceof PushforwardError && error.code === 'NOT_READY') continue;
        log.warn('a retention pass failed; the next one goes on', { projectId, error });
      }
    }
  }

  async function run(): Promise<void> {
    for (let which: 'all' | 'interrupted' = 'interrupted'; !signal.aborted; which = 'all') {
      let pauseMs = everyMs;
      try {
        await passes(which);
        // A run that needs what is half deleted waits for it.
        const interrupted = (await retention.projects()).some((one) => one.interrupted);
        if (interrupted) pauseMs = Math.min(everyMs, TAKE_OVER_MS);
      } catch (error) {
        log.warn('retention waits for the database', { error });
      }
      await clock.sleep(pauseMs, signal);
    }
  }

  let running: Promise<void> | null = null;
  return {
    start: () => void (running ??= run()),
    /** Resolves once nothing is under way, after the signal aborted. */
    stopped: async () => void (await running),
  };
}

function figures({ doomed, rescued, deleted, orphans }: PassReport): Record<string, number> {
  return {
    doomed: doomed.artifacts,
    rescued,
    deleted: deleted.artifacts,
    deletedBytes: deleted.bytes,
    ...(orphans && {
      orphansDeleted: orphans.deleted.count,
      orphanBytes: orphans.deleted.bytes,
      missing: orphans.rowWithoutStore.count,
    }),
  };
}
