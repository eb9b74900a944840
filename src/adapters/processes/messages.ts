import { type ErrorRecord } from '../../base/errors.ts';
import { type AttemptOrder, type SpanRecord, type TaskResult } from '../../engine/ports.ts';

/** What a worker process is told. It carries out one order at a time. */
export type ToWorker = { kind: 'order'; order: AttemptOrder } | { kind: 'cancel' };

/** What it answers: any number of `progress` and `spans`, then one of the others. */
export type FromWorker =
  | { kind: 'progress'; itemsDone: number }
  | { kind: 'spans'; spans: readonly SpanRecord[] }
  | { kind: 'succeeded'; result: TaskResult; peakMemoryBytes: number }
  | { kind: 'failed'; failure: ErrorRecord; peakMemoryBytes: number };
