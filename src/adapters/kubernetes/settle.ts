import { type V1Pod } from '@kubernetes/client-node';
import { PushforwardError, toErrorRecord } from '../../base/errors.ts';
import {
  failureClassOf,
  type AttemptOrder,
  type AttemptOutcome,
  type Failure,
  type Publications,
  type Usage,
} from '../../engine/ports.ts';
import { type Cluster } from './cluster.ts';
import { failureOfDisappearance, failureOfPod } from './failure.ts';
import { fromMessage } from './outcome.ts';
import { type Verdict } from './verdict.ts';

/** How an attempt ended, as far as the cluster shows. */
export interface Ending {
  order: AttemptOrder;
  verdict: Verdict;
  cancelled: boolean;
  /** Why we stopped its pod. */
  condemned: Failure | null;
  allocatedSeconds: number;
}

/** Makes the outcome of an ending: reads the manifest of a success, the log of a failure. Never rejects. */
export async function outcomeOf(
  ending: Ending,
  { cluster, publications }: { cluster: Pick<Cluster, 'lastLogLines'>; publications: Publications },
): Promise<AttemptOutcome> {
  const { order, verdict, cancelled, condemned } = ending;
  const pod = 'pod' in verdict ? verdict.pod : null;
  const usage = usageOf(ending, pod);
  const failed = (failure: Failure): AttemptOutcome => ({ kind: 'failed', failure, usage });
  if (verdict.kind === 'succeeded') {
    try {
      const manifest = await publications.find(order.projectId, order.task.artifactId);
      if (manifest) return { kind: 'succeeded', result: { manifest, metrics: manifest.metrics, usage } };
      const missing = `expected ${order.task.title} to have published artifact ${order.task.artifactId}, got no whole manifest: it is tried again`;
      throw new PushforwardError('CORRUPT_ARTIFACT', missing, { artifactId: order.task.artifactId });
    } catch (error) {
      const record = toErrorRecord(error);
      const rest = { exitCode: 0, signal: null, lastLogLines: [] };
      return failed({ class: failureClassOf(record.code), error: record, ...rest });
    }
  }
  if (cancelled) return { kind: 'cancelled', usage };
  if (condemned) return failed(condemned);
  if (!pod) {
    const what = verdict.kind === 'gone' ? 'someone deleted its Job' : 'its pod was gone before its end was seen';
    return failed(failureOfDisappearance(what));
  }
  // The log goes with the pod, so it may be gone, and the reason counts without it.
  const lines = await cluster.lastLogLines(pod.metadata!.name!).catch(() => []);
  return failed(failureOfPod(pod, lines));
}

function usageOf({ allocatedSeconds }: Ending, pod: V1Pod | null): Usage {
  const terminated = pod?.status?.containerStatuses?.map(({ state }) => state?.terminated).find(Boolean);
  const told = fromMessage(terminated?.message);
  return {
    allocatedSeconds,
    peakMemoryBytes: told?.peakMemoryBytes ?? 0,
    bytesRead: told?.kind === 'succeeded' ? told.bytesRead : 0,
    bytesWritten: told?.kind === 'succeeded' ? told.bytesWritten : 0,
  };
}
