import { type Published } from '../../engine/ports.ts';

/** When the artifacts of a page were made, pauses left out: by seconds of a clock that stands while nothing of it is made. */
export interface Timeline {
  /** In the order of the stages. */
  stages: StageTime[];
  /** What the clock says at the end. */
  seconds: number;
  /** Where more than `PAUSE_SECONDS` were left out. */
  pauses: number[];
}

export interface StageTime {
  name: string;
  /** [from, to] of when at least one of its attempts ran, rising. */
  spans: [number, number][];
}

/** A run waits for its service, for slots and between stages; what it found of earlier runs may be of another day. */
export const PAUSE_SECONDS = 30;

/**
 * Each artifact was made by an attempt that ended about when it was recorded and held its resources for as long as was allocated.
 * @returns null where nothing took any time
 */
export function timelineOf(published: ReadonlyMap<string, readonly Published[]>): Timeline | null {
  const stages = [...published].map(([name, tasks]) => ({ name, spans: union(tasks.map(spanOf)) }));
  const busy = union(stages.flatMap(({ spans }) => spans));
  if (busy.length === 0) return null;
  const clock = clockOf(busy);
  const [seconds, resolution] = [clock.at(busy.at(-1)![1]), clock.at(busy.at(-1)![1]) / 2000];
  return {
    stages: stages.map(({ name, spans }) => ({
      name,
      spans: union(
        spans.map(([from, to]) => [rounded(clock.at(from)), rounded(clock.at(to))]),
        resolution,
      ),
    })),
    seconds: rounded(seconds),
    pauses: clock.pauses.map(rounded),
  };
}

type Span = [number, number];

function spanOf({ usage, recordedAt }: Published): Span {
  const end = recordedAt.getTime() / 1000;
  return [end - usage.allocatedSeconds, end];
}

/** Spans that lie apart, rising; those that are no further apart than `gap` are one, empty ones none. */
function union(spans: readonly Span[], gap = 0): Span[] {
  const merged: Span[] = [];
  for (const [from, to] of spans.filter(([start, end]) => end > start).sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && from <= last[1] + gap) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** @param busy rising, at least one */
function clockOf(busy: readonly Span[]): { at(moment: number): number; pauses: number[] } {
  const cuts = busy.slice(1).flatMap(([from], i) => {
    const [, before] = busy[i]!;
    return from - before > PAUSE_SECONDS ? [{ from: before, seconds: from - before }] : [];
  });
  const at = (moment: number) =>
    cuts.reduce((clock, { from, seconds }) => (moment > from ? clock - seconds : clock), moment - busy[0]![0]);
  return { at, pauses: cuts.map(({ from }) => at(from)) };
}

const rounded = (seconds: number): number => Number(seconds.toFixed(3));
