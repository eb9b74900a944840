/** The worker of a pod whose order says what becomes of it: `options.do`. */
import { setTimeout as delay } from 'node:timers/promises';
import { servePodTask } from '../../../src/adapters/kubernetes/pod-worker.ts';
import { openStore } from '../../../src/adapters/storage/index.ts';
import { PushforwardError } from '../../../src/base/errors.ts';
import { createPublications } from '../../../src/pipeline/artifacts.ts';
import { manifestOf } from '../tasks.ts';

const root = process.env['STORE_ROOT']!;
const store = openStore({ kind: 'directory' }, { root, signingSecret: 'secret', publicUrl: () => '' });
const task = {
  ordersFolder: process.env['PUSHFORWARD_TASK']!,
  index: Number(process.env['JOB_COMPLETION_INDEX']),
  terminationMessagePath: process.env['PUSHFORWARD_TERMINATION_MESSAGE']!,
};

process.exit(
  await servePodTask(task, store, async ({ attemptId, projectId, task }, { signal, onProgress }) => {
    const what = task.options['do'];
    process.stderr.write(`order ${attemptId}: ${String(what)}\n`);
    onProgress(1);
    if (what === 'crash') process.exit(3);
    if (what === 'userError')
      throw new PushforwardError('EMPTY_CLASS', 'expected images, got none: add some', { class: 'a' });
    if (what === 'hang') await delay(3_600_000, undefined, { signal });
    if (what === 'deaf') await delay(3_600_000);
    if (what === 'untilAllowed') {
      while (!(await store.head(`allowed/${task.index}`))) await delay(50, undefined, { signal });
    }
    const manifest = await createPublications(store).publish(projectId, { ...manifestOf(task), blobs: {} });
    return {
      manifest,
      metrics: manifest.metrics,
      usage: { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 7, bytesWritten: 9 },
    };
  }),
);
