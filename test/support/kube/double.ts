import { type V1Job, type V1Pod } from '@kubernetes/client-node';
import { type Cluster, type Listed, type WatchEvent } from '../../../src/adapters/kubernetes/cluster.ts';
import { notFound } from '../../../src/base/errors.ts';
import { JOB_INDEX, JOB_NAME } from '../../../src/adapters/kubernetes/names.ts';

/**
 * A cluster in this process, as much of it as the executor sees: the indexes of a Job get pods that run until the test
 * ends them, as many at once as it allows, and who deletes a Job deletes its pods. What a real API server refuses it takes; `test/kubernetes` has that.
 */
export function clusterDouble() {
  let version = 0;
  const jobs = kind<V1Job>(() => String(++version));
  const pods = kind<V1Pod>(() => String(++version));
  const podName = (job: string, index: number) => `${job}-${index}`;

  /** Indexes that got a pod, by Job. */
  const begun = new Map<string, number>();
  let mostAtOnce = 0;
  const running = (job?: string) =>
    pods
      .all()
      .filter(({ metadata, status }) => status!.phase === 'Running' && (!job || metadata!.labels![JOB_NAME] === job));

  function fill({ metadata, spec }: V1Job): void {
    const name = metadata!.name!;
    while ((begun.get(name) ?? 0) < spec!.completions! && running(name).length < spec!.parallelism!) {
      const index = begun.get(name) ?? 0;
      begun.set(name, index + 1);
      const pod = podName(name, index);
      pods.put({
        metadata: { name: pod, uid: `uid-${pod}`, labels: { [JOB_NAME]: name, [JOB_INDEX]: String(index) } },
        status: {
          phase: 'Running',
          startTime: new Date(),
          containerStatuses: [
            { name: 'worker', image: '', imageID: '', ready: true, restartCount: 0, state: { running: {} } },
          ],
        },
      });
    }
    mostAtOnce = Math.max(mostAtOnce, running().length);
  }

  const cluster: Cluster = {
    async createJob(job) {
      const name = job.metadata!.name!;
      const created = jobs.put({ ...job, metadata: { ...job.metadata, uid: `uid-${name}` }, status: {} });
      fill(created);
      return created;
    },
    async readJob(name) {
      const job = jobs.get(name);
      if (!job) throw notFound('Job', name);
      return job;
    },
    async deleteJob(name) {
      for (const { metadata } of pods.all()) if (metadata!.labels![JOB_NAME] === name) pods.remove(metadata!.name!);
      jobs.remove(name);
    },
    deletePod: async (name) => pods.remove(name),
    lastLogLines: async () => ['last words'],
    jobs,
    pods,
  };

  return {
    cluster,
    jobs: () => jobs.all().map(({ metadata }) => metadata!.name!),
    pods: () => pods.all().map(({ metadata }) => metadata!.name!),
    /** Where the pods are that run. */
    running: () =>
      running().map(({ metadata }) => ({
        job: metadata!.labels![JOB_NAME]!,
        index: Number(metadata!.labels![JOB_INDEX]),
      })),
    mostAtOnce: () => mostAtOnce,
    /** Ends the pod of an index; 0 is success. */
    end(job: string, index: number, exitCode: number): void {
      const pod = pods.get(podName(job, index))!;
      const terminated = { exitCode, finishedAt: new Date() };
      const [container] = pod.status!.containerStatuses!;
      const containerStatuses = [{ ...container!, state: { terminated } }];
      pods.put({
        ...pod,
        status: { ...pod.status, phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses },
      });
      const before = jobs.get(job)!;
      const list = exitCode === 0 ? 'completedIndexes' : 'failedIndexes';
      const indexes = [before.status?.[list], index].filter((one) => one !== undefined).join(',');
      fill(jobs.put({ ...before, status: { ...before.status, [list]: indexes } }));
    },
  };
}

function kind<T extends V1Job | V1Pod>(next: () => string) {
  const objects = new Map<string, T>();
  const watchers = new Set<(event: WatchEvent<T>) => void>();
  const tell = (type: WatchEvent<T>['type'], object: T) => watchers.forEach((watcher) => watcher({ type, object }));
  const listed: Listed<T> = {
    list: async () => ({ items: [...objects.values()], resourceVersion: next() }),
    watch: (_, onEvent, signal) =>
      new Promise((resolve) => {
        watchers.add(onEvent);
        signal.addEventListener('abort', () => {
          watchers.delete(onEvent);
          resolve();
        });
      }),
  };
  return {
    ...listed,
    get: (name: string) => objects.get(name),
    all: () => [...objects.values()],
    put(object: T): T {
      const stored = { ...object, metadata: { ...object.metadata, resourceVersion: next() } };
      const type = objects.has(object.metadata!.name!) ? 'MODIFIED' : 'ADDED';
      objects.set(object.metadata!.name!, stored);
      tell(type, stored);
      return stored;
    },
    remove(name: string): void {
      const object = objects.get(name);
      objects.delete(name);
      if (object) tell('DELETED', object);
    },
  };
}
