import { createHash } from 'node:crypto';
import { type V1Job } from '@kubernetes/client-node';

/** The one container of a pod. */
export const CONTAINER = 'worker';

/** By these the objects of one service are told from everything else in the namespace. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const INSTANCE = 'app.kubernetes.io/instance';
export const RUN = 'pushforward/run';
export const STAGE = 'pushforward/stage';
export const PROJECT = 'pushforward/project';
/** Annotation of a Job: the attempt ids by completion index, as JSON. */
export const ATTEMPTS = 'pushforward/attempts';
/** Annotation of a Job: where the orders of its pods lie in the store. */
export const ORDERS = 'pushforward/orders';
/** Labels that the Job controller sets on pods. */
export const JOB_NAME = 'batch.kubernetes.io/job-name';
export const JOB_INDEX = 'batch.kubernetes.io/job-completion-index';
/** Kueue's: the queue that admits a Job. */
export const QUEUE_NAME = 'kueue.x-k8s.io/queue-name';

/**
 * The same attempts give the same name, so that a Job is created once however often that is asked. Short enough for an
 * index and a suffix behind it within the 63 characters of a host name.
 */
export function jobName(of: { runId: string; stage: string; attemptIds: readonly string[] }): string {
  const digest = createHash('sha256').update(of.attemptIds.join('\n')).digest('hex').slice(0, 10);
  const run = dns(of.runId).slice(-12);
  return `pf-${run}-${dns(of.stage).slice(0, 12)}-${digest}`.replace(/-+/g, '-');
}

/** Names a stage of a run, as the labels of its Jobs tell it. */
export function stageKey(runId: string, stage: string): string {
  return `${labelValue(runId)} ${labelValue(stage)}`;
}

export function stageOfJob({ metadata }: V1Job): string {
  return stageKey(metadata?.labels?.[RUN] ?? '', metadata?.labels?.[STAGE] ?? '');
}

/** A text as the value of a label: at most 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit. */
export function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

export function instanceSelector(instance: string): string {
  return `${MANAGED_BY}=pushforward,${INSTANCE}=${labelValue(instance)}`;
}

function dns(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '-');
}
