import { Worker } from 'node:worker_threads';
import { crashPoint } from '../../base/crash-points.ts';
import { PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { forgetPeakMemory, peakMemoryBytes } from '../../base/peak-memory.ts';
import { type AttemptOrder, type SpanRecord, type TaskResult } from '../../engine/ports.ts';
import { type FromWorker, type ToWorker } from './messages.ts';

export interface OrderContext {
  /** Aborts when the order was cancelled; the process is killed a while later if the handler does not end. */
  signal: AbortSignal;
  onProgress(itemsDone: number): void;
  /** What was done, for the trace of the attempt. */
  onSpans(spans: readonly SpanRecord[]): void;
}

/**
 * The worker's side of the local executor: carries out the orders that come over the IPC channel, one at a time, until
 * the channel closes. What the handler throws crosses as an error record. After a cancelled order the process ends.
 *
 * The process never outlives its service: it ends when the channel closes, and where a long computation keeps it from
 * noticing, a watching thread ends it.
 *
 * @throws NOT_READY if the process was not forked by the executor
 */
export function serveOrders(handler: (order: AttemptOrder, context: OrderContext) => Promise<TaskResult>): void {
  if (!process.send) {
    throw new PushforwardError(
      'NOT_READY',
      'expected a worker to be started by the service, got a process without a channel: run `pushforward serve`, which starts its workers',
    );
  }
  watchParent();
  process.on('disconnect', () => process.exit(1));

  let current: AbortController | null = null;
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'cancel') {
      if (!current) process.exit(0);
      current.abort();
      return;
    }
    const controller = (current = new AbortController());
    void carryOut(message.order, controller.signal).then((answer) => {
      current = null;
      if (!process.connected) return;
      process.send!(answer, () => {
        crashPoint('order.answered');
        if (controller.signal.aborted) process.exit(0);
      });
    });
  });

  async function carryOut(order: AttemptOrder, signal: AbortSignal): Promise<FromWorker> {
    forgetPeakMemory();
    try {
      const onProgress = (itemsDone: number) => void answer({ kind: 'progress', itemsDone });
      const onSpans = (spans: readonly SpanRecord[]) => void answer({ kind: 'spans', spans });
      const result = await handler(order, { signal, onProgress, onSpans });
      return { kind: 'succeeded', result, peakMemoryBytes: peakMemoryBytes() };
    } catch (error) {
      if (!(error instanceof PushforwardError)) process.stderr.write(`${describe(error)}\n`);
      return { kind: 'failed', failure: toErrorRecord(error), peakMemoryBytes: peakMemoryBytes() };
    }
  }
}

function answer(message: FromWorker): void {
  if (process.connected) process.send!(message);
}

/** An orphan gets another parent. */
function watchParent(): void {
  const source = `
    const { workerData } = require('node:worker_threads');
    setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 1000);
  `;
  const options = { eval: true, workerData: process.ppid, execArgv: [], env: {}, stdin: false };
  new Worker(source, options).unref();
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
