/** A worker whose orders say what becomes of them: `options.do`. */
import { setTimeout as delay } from 'node:timers/promises';
import { PushforwardError } from '../../src/base/errors.ts';
import { serveOrders } from '../../src/adapters/processes/worker-channel.ts';
import { manifestOf } from './tasks.ts';

serveOrders(async (order, { signal, onProgress }) => {
  const what = order.task.options['do'];
  process.stderr.write(`order ${order.attemptId}: ${String(what)}\n`);
  onProgress(1);
  if (what === 'crash') process.exit(3);
  if (what === 'sigkill') process.kill(process.pid, 'SIGKILL');
  if (what === 'userError')
    throw new PushforwardError('EMPTY_CLASS', 'expected images, got none: add some', { class: 'a' });
  if (what === 'trace') throw new PushforwardError('INVALID_INPUT', order.traceparent ?? 'none');
  if (what === 'throw') throw new TypeError('not ours');
  if (what === 'hang') await delay(3_600_000, undefined, { signal });
  if (what === 'deaf') await delay(3_600_000);
  if (what === 'block') for (;;);
  if (what === 'fill') new Uint8Array(400e6).fill(1).buffer.transfer(0);
  onProgress(2);
  return {
    manifest: manifestOf(order.task),
    metrics: { pid: process.pid },
    usage: { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 7, bytesWritten: 9 },
  };
});
