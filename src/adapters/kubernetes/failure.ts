import { type V1Pod } from '@kubernetes/client-node';
import { type ErrorCode, type ErrorRecord } from '../../base/errors.ts';
import { failureClassOf, logsFullHeap, type Failure, type FailureClass } from '../../engine/ports.ts';
import { classOfExitCode, fromMessage } from './outcome.ts';
import { type Stuck } from './verdict.ts';

/** Why a pod ended without success, as far as there is evidence for it; the worker's own word comes first. */
export function failureOfPod(pod: V1Pod, lastLogLines: string[]): Failure {
  const terminated = terminationOf(pod);
  const exitCode = terminated?.exitCode ?? null;
  const rest = { exitCode, signal: terminated?.signal ? String(terminated.signal) : null, lastLogLines };
  const told = fromMessage(terminated?.message);
  if (told?.kind === 'failed' && told.error.code !== 'CANCELLED') {
    return { class: failureClassOf(told.error.code), error: told.error, ...rest };
  }
  const { class: cls, code, evidence } = judge(pod, lastLogLines);
  return { class: cls, error: record(code, `expected the worker to report, got none: ${evidence}`), ...rest };
}

/** The Job was deleted, or its pod was before anyone saw how it ended. */
export function failureOfDisappearance(what: string): Failure {
  const error = record('WORKER_LOST', `expected the worker to report, got none: ${what}`);
  return { class: 'lost', error, exitCode: null, signal: null, lastLogLines: [] };
}

/** A pod that waited too long for what does not pass by waiting. */
export function failureOfStuck(stuck: Stuck, reason: string, waitedMs: number): Failure {
  const remedy =
    stuck.class === 'imagePull'
      ? 'correct the image of the executor class, or its imagePullSecrets'
      : 'correct the resources, nodeSelector and tolerations of the executor class, or give the cluster such nodes';
  const waited = `${Math.round(waitedMs / 1000)} s`;
  const error = record('NOT_READY', `expected the pod to start within ${waited}, got none: ${reason}: ${remedy}`);
  return { class: stuck.class, error, exitCode: null, signal: null, lastLogLines: [] };
}

interface Judgement {
  class: FailureClass;
  code: ErrorCode;
  evidence: string;
}

/** Set by the kubelet where it ended or refused a pod for want of something. */
const EVICTIONS = new Set(['Evicted', 'Preempting', 'Terminated', 'NodeShutdown', 'NodeLost', 'Shutdown']);

function judge(pod: V1Pod, lastLogLines: string[]): Judgement {
  const { status } = pod;
  const terminated = terminationOf(pod);
  const exitCode = terminated?.exitCode;
  if (terminated?.reason === 'OOMKilled' || logsFullHeap(lastLogLines)) {
    const how = terminated?.reason === 'OOMKilled' ? 'it was killed for want of memory' : 'its heap was full';
    const remedy = "lower execution.batch or raise the executor class's memory";
    return { class: 'outOfMemory', code: 'OUT_OF_MEMORY', evidence: `${how}: ${remedy}` };
  }
  const disruption = status?.conditions?.find((of) => of.type === 'DisruptionTarget' && of.status === 'True');
  if (disruption || EVICTIONS.has(status?.reason ?? '')) {
    const why = [disruption?.reason ?? status?.reason, disruption?.message ?? status?.message]
      .filter(Boolean)
      .join(': ');
    return { class: 'preempted', code: 'WORKER_LOST', evidence: `its pod was taken off its node (${why})` };
  }
  if (status?.reason === 'DeadlineExceeded') {
    const evidence = 'it took longer than the deadlineMinutes of its executor class: raise them or make tasks smaller';
    return { class: 'timeout', code: 'TIMEOUT', evidence };
  }
  if (pod.metadata?.deletionTimestamp) {
    return { class: 'lost', code: 'WORKER_LOST', evidence: 'someone deleted its pod' };
  }
  if (!terminated && status?.reason) {
    const evidence = `its node refused the pod (${[status.reason, status.message].filter(Boolean).join(': ')})`;
    return { class: 'unschedulable', code: 'NOT_READY', evidence };
  }
  const cls = exitCode === undefined ? null : classOfExitCode(exitCode);
  if (cls)
    return { class: cls, code: 'INTERNAL', evidence: `it ended with exit code ${exitCode}: see its last log lines` };
  if (exitCode !== undefined && exitCode > 128) {
    return { class: 'lost', code: 'WORKER_LOST', evidence: `it was ended by signal ${exitCode - 128}` };
  }
  const evidence = `it ended with exit code ${exitCode ?? 'unknown'} without a reason: see its last log lines`;
  return { class: 'internal', code: 'INTERNAL', evidence };
}

function terminationOf(pod: V1Pod) {
  return pod.status?.containerStatuses?.map(({ state }) => state?.terminated).find(Boolean);
}

function record(code: ErrorCode, message: string): ErrorRecord {
  return { code, message };
}
