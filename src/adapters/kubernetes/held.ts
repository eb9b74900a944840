import { toErrorRecord } from '../../base/errors.ts';
import {
  failureClassOf,
  type AttemptHandle,
  type AttemptObserver,
  type AttemptOrder,
  type AttemptOutcome,
} from '../../engine/ports.ts';

/** An attempt on its way into a Job. */
export interface Start {
  order: AttemptOrder;
  observer: AttemptObserver;
  /** Pods that its stage may have at once. */
  most: number;
  resolve(handle: AttemptHandle): void;
  reject(error: unknown): void;
}

const NO_USAGE = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };

/**
 * Starts an attempt that has to wait for its Job: it can be cancelled meanwhile, and it goes on as an index of the Job once there
 * is one. It has no reference, since Jobs name their attempts.
 * @param giveUp false once its Job is being created
 */
export function hold(start: Start, giveUp: () => boolean): void {
  const { promise: outcome, resolve: end } = Promise.withResolvers<AttemptOutcome>();
  let index: AttemptHandle | null = null;
  let cancelled = false;
  start.resolve({
    reference: {},
    outcome,
    alive: () => index?.alive() ?? true,
    cancel() {
      cancelled = true;
      if (index) index.cancel();
      else if (giveUp()) end({ kind: 'cancelled', usage: NO_USAGE });
    },
    recorded: () => index?.recorded?.(),
    leave: () => index?.leave?.() ?? false,
  });
  start.resolve = (handle) => {
    index = handle;
    void handle.outcome.then(end);
    if (cancelled) handle.cancel();
  };
  start.reject = (error) => {
    if (cancelled) return end({ kind: 'cancelled', usage: NO_USAGE });
    const record = toErrorRecord(error);
    const rest = { exitCode: null, signal: null, lastLogLines: [] };
    end({ kind: 'failed', failure: { class: failureClassOf(record.code), error: record, ...rest }, usage: NO_USAGE });
  };
}
