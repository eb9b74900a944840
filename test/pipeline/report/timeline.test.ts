import { expect, it } from 'vitest';
import { type Published } from '../../../src/engine/ports.ts';
import { PAUSE_SECONDS, timelineOf } from '../../../src/pipeline/report/timeline.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

/** Made from one second to another of a day. */
const made = (from: number, to: number): Published => {
  const task = taskOf({ stage: 'any' });
  const usage = { allocatedSeconds: to - from, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
  return {
    task,
    manifest: manifestOf(task),
    usage,
    costUsd: 0,
    recordedAt: new Date(Date.UTC(2026, 0, 1) + 1000 * to),
  };
};
const timeline = (stages: Record<string, Published[]>) => timelineOf(new Map(Object.entries(stages)));

it('joins what overlaps within a stage, and keeps short waits', () => {
  expect(timeline({ encode: [made(10, 14), made(12, 16), made(18, 19)], decode: [made(19, 29)] })).toEqual({
    stages: [
      {
        name: 'encode',
        spans: [
          [0, 6],
          [8, 9],
        ],
      },
      { name: 'decode', spans: [[9, 19]] },
    ],
    seconds: 19,
    pauses: [],
  });
});

it('leaves out pauses, in whatever order things were made', () => {
  const day = 86_400;
  const { stages, seconds, pauses } = timeline({
    encode: [made(day, day + 2), made(0, 5)],
    decode: [made(day + 1, day + 4), made(day + 4 + PAUSE_SECONDS, day + 5 + PAUSE_SECONDS)],
  })!;
  expect(pauses).toEqual([5]);
  // what was found of the day before comes first, with nothing between
  expect(stages[0]!.spans).toEqual([[0, 7]]);
  expect(stages[1]!.spans).toEqual([
    [6, 9],
    [9 + PAUSE_SECONDS, 10 + PAUSE_SECONDS],
  ]);
  expect(seconds).toBe(10 + PAUSE_SECONDS);
});

it('does not grow with the number of tasks', () => {
  const tasks = Array.from({ length: 20_000 }, (_, i) => made(i, i + 0.5));
  expect(timeline({ encode: tasks })!.stages[0]!.spans.length).toBeLessThanOrEqual(2001);
});

it('is none where nothing took any time', () => {
  expect(timeline({})).toBeNull();
  expect(timeline({ encode: [made(3, 3)] })).toBeNull();
});
