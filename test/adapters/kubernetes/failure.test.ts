import { type V1ContainerStateTerminated, type V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { failureOfPod, failureOfStuck } from '../../../src/adapters/kubernetes/failure.ts';
import { EXIT_CODES, toMessage } from '../../../src/adapters/kubernetes/outcome.ts';

function pod(
  terminated: Partial<V1ContainerStateTerminated> | null,
  status: V1Pod['status'] = {},
  deleted = false,
): V1Pod {
  return {
    metadata: { name: 'pod', ...(deleted && { deletionTimestamp: new Date(0) }) },
    status: {
      phase: 'Failed',
      ...status,
      ...(terminated && { containerStatuses: [{ state: { terminated } }] as never }),
    },
  };
}
const told = (code: string) =>
  toMessage({ kind: 'failed', error: { code: code as never, message: `${code} happened` }, peakMemoryBytes: 1 });
const disrupted = { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] };

describe('the failure of a pod', () => {
  it.each([
    ['what its worker told', pod({ exitCode: 64, message: told('EMPTY_CLASS') }), 'userError'],
    [
      'what its worker told, though it was deleted',
      pod({ exitCode: 64, message: told('EMPTY_CLASS') }, {}, true),
      'userError',
    ],
    ['what its worker told of its memory', pod({ exitCode: 65, message: told('OUT_OF_MEMORY') }), 'outOfMemory'],
    ['a kill for memory', pod({ exitCode: 137, reason: 'OOMKilled' }), 'outOfMemory'],
    ['a disruption', pod({ exitCode: 143, message: told('CANCELLED') }, disrupted, true), 'preempted'],
    ['an eviction by its node', pod(null, { reason: 'Evicted', message: 'low on memory' }), 'preempted'],
    ['a shutdown of its node', pod({ exitCode: 137 }, { reason: 'Terminated' }), 'preempted'],
    ['its deadline', pod({ exitCode: 137 }, { reason: 'DeadlineExceeded' }), 'timeout'],
    ['a deletion', pod({ exitCode: 143, message: told('CANCELLED') }, {}, true), 'lost'],
    ['a refusal of its node', pod(null, { reason: 'OutOfcpu' }), 'unschedulable'],
    ['a signal', pod({ exitCode: 139 }), 'lost'],
    ['the exit code alone', pod({ exitCode: EXIT_CODES.userError }), 'userError'],
    ['any other exit code', pod({ exitCode: 1 }), 'internal'],
    ['nothing at all', pod(null), 'internal'],
  ])('by %s', (_, of, expected) => {
    expect(failureOfPod(of, []).class).toBe(expected);
  });

  it('has the exit code and the log, which may say that the heap was full', () => {
    const lines = ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'];
    const failure = failureOfPod(pod({ exitCode: 134 }), lines);
    expect(failure).toMatchObject({ class: 'outOfMemory', exitCode: 134, lastLogLines: lines });
    expect(failure.error.message).toContain('lower execution.batch');
  });

  it('to start says how long it waited, for what, and what to do', () => {
    const failure = failureOfStuck({ class: 'imagePull', since: new Date(0) }, 'no such tag', 600_000);
    expect(failure.error.message).toMatch(/within 600 s, got none: no such tag: correct the image/);
  });
});
