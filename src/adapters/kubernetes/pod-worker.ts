import { writeFile } from 'node:fs/promises';
import { cancelled, PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { peakMemoryBytes } from '../../base/peak-memory.ts';
import { failureClassOf, type AttemptOrder, type TaskResult } from '../../engine/ports.ts';
import { EXIT_TERMINATED, exitCodeOf, toMessage, type WorkerOutcome } from './outcome.ts';
import { type OrderStore, readOrder } from './orders.ts';
import { createProgressReports } from './progress-reports.ts';

export interface PodTask {
  /** The folder of the orders of the Job: `projects/P/orders/JOB`. */
  ordersFolder: string;
  /** The completion index of this pod. */
  index: number;
  /** What is written here comes back with the status of the pod. */
  terminationMessagePath: string;
}

export interface PodContext {
  /** Aborts on SIGTERM: the pod is being deleted or taken off its node. */
  signal: AbortSignal;
  onProgress(itemsDone: number): void;
}

/** From SIGTERM to the end; the kubelet kills the pod a little later. */
const GRACE_MS = 20_000;

/**
 * The worker's side of the Kubernetes executor: carries out the one order of this pod, leaves word of how it went, and says by
 * which code to exit. Never rejects.
 */
export async function servePodTask(
  task: PodTask,
  store: OrderStore,
  handler: (order: AttemptOrder, context: PodContext) => Promise<TaskResult>,
): Promise<number> {
  const ending = new AbortController();
  process.once('SIGTERM', () => {
    ending.abort();
    setTimeout(() => process.exit(EXIT_TERMINATED), GRACE_MS).unref();
  });
  const outcome = await carryOut(task, store, handler, ending.signal);
  await writeFile(task.terminationMessagePath, toMessage(outcome)).catch((error: unknown) => say(error));
  if (outcome.kind === 'succeeded') return 0;
  return ending.signal.aborted ? EXIT_TERMINATED : exitCodeOf(failureClassOf(outcome.error.code));
}

async function carryOut(
  task: PodTask,
  store: OrderStore,
  handler: (order: AttemptOrder, context: PodContext) => Promise<TaskResult>,
  signal: AbortSignal,
): Promise<WorkerOutcome> {
  try {
    const { order, callback } = await readOrder(store, task.ordersFolder, task.index);
    const reports = createProgressReports(callback && { ...callback, attemptId: order.attemptId });
    try {
      if (signal.aborted) throw cancelled();
      const { usage } = await handler(order, { signal, onProgress: reports.tell });
      const { bytesRead, bytesWritten } = usage;
      return { kind: 'succeeded', peakMemoryBytes: peakMemoryBytes(), bytesRead, bytesWritten };
    } finally {
      reports.end();
    }
  } catch (error) {
    say(error);
    return { kind: 'failed', error: toErrorRecord(error), peakMemoryBytes: peakMemoryBytes() };
  }
}

function say(error: unknown): void {
  const text = error instanceof PushforwardError ? `${error.code}: ${error.message}` : (error as Error)?.stack;
  process.stderr.write(`${text ?? String(error)}\n`);
}
