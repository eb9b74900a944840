import { type V1Job, type V1Pod } from '@kubernetes/client-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inIndexes, podsOf, spanOf, verdictOf } from '../../../src/adapters/kubernetes/verdict.ts';

const job = (status: V1Job['status'] = {}, suspend = false): V1Job => ({ spec: { suspend, template: {} }, status });
const pod = (phase: string, more: V1Pod['status'] = {}): V1Pod => ({
  metadata: { name: phase, creationTimestamp: new Date(0) },
  status: { phase, ...more },
});
const running = pod('Running', { containerStatuses: [{ state: { running: {} } }] as never });

describe('the verdict on an index', () => {
  it.each([
    ['a pod that succeeded', job(), [pod('Succeeded')], 'succeeded'],
    ['an index that is completed, its pod gone', job({ completedIndexes: '0-3' }), [], 'succeeded'],
    ['a failed index', job({ failedIndexes: '2' }), [pod('Failed')], 'failed'],
    ['a finished Job', job({ conditions: [{ type: 'Failed', status: 'True' }] }), [pod('Failed')], 'failed'],
    // Its queue may have taken the node away, and the Job gives it another pod.
    ['a pod that failed, and a Job that has yet to judge', job(), [pod('Failed')], 'waiting'],
    ['a second pod that still runs', job({ failedIndexes: '2' }), [pod('Failed'), running], 'running'],
    ['a second pod that still runs beside one that succeeded', job(), [pod('Succeeded'), running], 'running'],
    ['a pod that runs', job(), [running], 'running'],
    ['a pod that has yet to run', job(), [pod('Pending')], 'waiting'],
    ['no pod', job(), [], 'waiting'],
    ['no Job and no pod', undefined, [], 'gone'],
    ['no Job, and a pod that is still there', undefined, [running], 'running'],
    ['no Job, and a pod that failed', undefined, [pod('Failed')], 'gone'],
  ])('with %s', (_, of, pods, kind) => {
    expect(verdictOf(2, of, pods).kind).toBe(kind);
  });

  it('remembers pods that went before their Job told of their end', () => {
    const failed = pod('Failed', { reason: 'Evicted' });
    expect(verdictOf(2, job(), [], [failed]).kind).toBe('waiting');
    expect(verdictOf(2, job({ failedIndexes: '2' }), [], [failed])).toEqual({ kind: 'failed', pod: failed });
    expect(verdictOf(2, job(), [], [pod('Succeeded')]).kind).toBe('succeeded');
    expect(verdictOf(2, undefined, [], [running])).toEqual({ kind: 'gone', pod: running });
    // Its node may have been given back, and the index another pod.
    expect(verdictOf(2, job(), [running], [failed]).kind).toBe('running');
  });

  it('says what an index waits for', () => {
    const reason = (of: V1Job, pods: V1Pod[]) => {
      const verdict = verdictOf(0, of, pods);
      return verdict.kind === 'waiting' && [verdict.reason, verdict.stuck?.class];
    };
    expect(reason(job({}, true), [])).toEqual(['its Job is suspended', undefined]);
    const unscheduled = { type: 'PodScheduled', status: 'False', message: 'too small' };
    expect(reason(job(), [pod('Pending', { conditions: [unscheduled] })])).toEqual([
      'no node fits: too small',
      'unschedulable',
    ]);
    const pulling = [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } } }] as never;
    expect(reason(job(), [pod('Pending', { containerStatuses: pulling })])).toEqual([
      'its image cannot be pulled: ImagePullBackOff: no such tag',
      'imagePull',
    ]);
    const creating = [{ state: { waiting: { reason: 'ContainerCreating' } } }] as never;
    expect(reason(job(), [pod('Pending', { containerStatuses: creating })])).toEqual([
      'its container waits: ContainerCreating',
      undefined,
    ]);
  });
});

it('reads the ranges of indexes that Jobs write', () => {
  const sets = fc.uniqueArray(fc.nat(60), { maxLength: 40 });
  fc.assert(
    fc.property(sets, fc.nat(60), (indexes, asked) => {
      expect(inIndexes(rangesOf(indexes), asked)).toBe(indexes.includes(asked));
    }),
  );
});

it('counts the pods that a Job may have from here on', () => {
  const of = (status: V1Job['status']): V1Job => ({ spec: { completions: 9, parallelism: 4, template: {} }, status });
  expect(podsOf(of({}))).toBe(4);
  expect(podsOf(of({ completedIndexes: '0-3,6' }))).toBe(4);
  expect(podsOf(of({ completedIndexes: '0-3,6', failedIndexes: '4,5' }))).toBe(2);
  expect(podsOf(of({ failedIndexes: '4', conditions: [{ type: 'Failed', status: 'True' }] }))).toBe(0);
});

it('counts the time of a pod from its node to its end, whether the client gives dates or text', () => {
  const [start, end] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:09Z'];
  const terminated = (finishedAt: unknown) => [{ state: { terminated: { exitCode: 0, finishedAt } } }] as never;
  const expected = { start: new Date(start), end: new Date(end) };
  expect(spanOf(pod('Succeeded', { startTime: start as never, containerStatuses: terminated(end) }))).toEqual(expected);
  const dates = { startTime: new Date(start), containerStatuses: terminated(new Date(end)) };
  expect(spanOf(pod('Succeeded', dates))).toEqual(expected);
  expect(spanOf(pod('Pending'))).toBeNull();
});

/** As the Job controller writes them. */
function rangesOf(indexes: number[]): string {
  const sorted = indexes.toSorted((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(
      end === i ? `${sorted[i]}` : end === i + 1 ? `${sorted[i]},${sorted[end]}` : `${sorted[i]}-${sorted[end]}`,
    );
    i = end + 1;
  }
  return parts.join(',');
}
