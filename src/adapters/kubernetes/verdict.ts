import { type V1Job, type V1Pod } from '@kubernetes/client-node';
import { JOB_INDEX } from './names.ts';

/**
 * Where an index of a Job stands. The Job's own status has the last word on a failure, since a pod may fail and its index go on
 * (a Job that its queue suspends, a second pod of the same index); the pod has the reason.
 */
export type Verdict =
  | { kind: 'succeeded'; pod: V1Pod | null }
  | { kind: 'failed'; pod: V1Pod | null }
  /** The Job is gone, and so are its pods. */
  | { kind: 'gone'; pod: V1Pod | null }
  | { kind: 'running'; active: V1Pod[] }
  | { kind: 'waiting'; active: V1Pod[]; reason: string; stuck: Stuck | null };

/** What does not pass by waiting, mostly. */
export interface Stuck {
  class: 'imagePull' | 'unschedulable';
  since: Date;
}

/**
 * @param pods those of this index, in any order
 * @param gone those that were there, as they were last
 */
export function verdictOf(
  index: number,
  job: V1Job | undefined,
  pods: readonly V1Pod[],
  gone: readonly V1Pod[] = [],
): Verdict {
  const active = pods.filter((pod) => !isTerminal(pod));
  const ended = [...pods.filter(isTerminal), ...gone].sort((a, b) => endOf(b) - endOf(a));
  if (active.length === 0) {
    const succeeded = ended.find((pod) => pod.status?.phase === 'Succeeded') ?? null;
    if (succeeded || inIndexes(job?.status?.completedIndexes, index)) return { kind: 'succeeded', pod: succeeded };
    const pod = ended[0] ?? null;
    if (!job) return { kind: 'gone', pod };
    if (inIndexes(job.status?.failedIndexes, index) || endOfJob(job)) return { kind: 'failed', pod };
  }
  return active.some(runs) ? { kind: 'running', active } : { kind: 'waiting', active, ...whyWaiting(job, active[0]) };
}

export function indexOf(pod: V1Pod): number {
  return Number(pod.metadata?.labels?.[JOB_INDEX] ?? pod.metadata?.annotations?.[JOB_INDEX] ?? -1);
}

export function isTerminal(pod: V1Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** In the form that Jobs write: `1,3-5,7`. */
export function inIndexes(ranges: string | undefined, index: number): boolean {
  return (ranges ?? '').split(',').some((range) => {
    if (range === '') return false;
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return first <= index && index <= last!;
  });
}

/** How many pods a Job may have at once from here on. */
export function podsOf(job: V1Job): number {
  if (endOfJob(job)) return 0;
  const { completions = 0, parallelism = 0 } = job.spec!;
  const ended = countOf(job.status?.completedIndexes) + countOf(job.status?.failedIndexes);
  return Math.min(parallelism, completions - ended);
}

function countOf(ranges: string | undefined): number {
  return (ranges ?? '').split(',').reduce((sum, range) => {
    if (range === '') return sum;
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return sum + last! - first + 1;
  }, 0);
}

/** Seconds since the epoch in which a pod held its node: from when it was given one; null ends are not yet. */
export function spanOf(pod: V1Pod): { start: Date; end: Date | null } | null {
  const scheduled = condition(pod, 'PodScheduled');
  const start = pod.status?.startTime ?? (scheduled?.status === 'True' ? scheduled.lastTransitionTime : undefined);
  if (!start) return null;
  const finished = (pod.status?.containerStatuses ?? []).map((status) => status.state?.terminated?.finishedAt);
  const ends = finished.filter((at) => at !== undefined).map((at) => new Date(at).getTime());
  return { start: new Date(start), end: ends.length > 0 ? new Date(Math.max(...ends)) : null };
}

/** The client gives dates where it lists, and text where it watches. */
function condition(pod: V1Pod, type: string) {
  return pod.status?.conditions?.find((of) => of.type === type);
}

function endOf(pod: V1Pod): number {
  return spanOf(pod)?.end?.getTime() ?? 0;
}

function runs(pod: V1Pod): boolean {
  return (pod.status?.containerStatuses ?? []).some(({ state }) => state?.running || state?.terminated);
}

/** When a Job came to its end; null while it goes on. */
export function endOfJob(job: V1Job): Date | null {
  const end = job.status?.conditions?.find(
    (of) => (of.type === 'Complete' || of.type === 'Failed') && of.status === 'True',
  );
  return end ? new Date(end.lastTransitionTime ?? 0) : null;
}

const IMAGE_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ErrImageInspect',
]);

function whyWaiting(job: V1Job | undefined, pod: V1Pod | undefined): { reason: string; stuck: Stuck | null } {
  if (job?.spec?.suspend) {
    const queue = job.metadata?.labels?.['kueue.x-k8s.io/queue-name'];
    const reason = queue ? `queue ${queue} has not admitted it` : 'its Job is suspended';
    return { reason, stuck: null };
  }
  if (!pod) return { reason: 'its Job has yet to give it a pod', stuck: null };
  const scheduled = condition(pod, 'PodScheduled');
  if (scheduled?.status === 'False') {
    const since = new Date(scheduled.lastTransitionTime ?? pod.metadata?.creationTimestamp ?? 0);
    return {
      reason: `no node fits: ${scheduled.message ?? scheduled.reason ?? 'no reason given'}`,
      stuck: { class: 'unschedulable', since },
    };
  }
  const waiting = pod.status?.containerStatuses?.find(({ state }) => state?.waiting)?.state?.waiting;
  if (waiting?.reason && IMAGE_REASONS.has(waiting.reason)) {
    const since = new Date(pod.status?.startTime ?? pod.metadata?.creationTimestamp ?? 0);
    return {
      reason: `its image cannot be pulled: ${[waiting.reason, waiting.message].filter(Boolean).join(': ')}`,
      stuck: { class: 'imagePull', since },
    };
  }
  return {
    reason: waiting?.reason ? `its container waits: ${waiting.reason}` : 'its pod has yet to start',
    stuck: null,
  };
}
