import { CONTEXT, INK, LINE, UNIFORM, WEIGHTED } from '../colors.ts';
import { type StageRow } from '../figures.ts';
import { dollars, sum } from '../html.ts';
import { type Timeline } from '../timeline.ts';
import { linearScale, type Scale } from './scale.ts';
import { line, PAGE_WIDTH, rect, svg, text } from './svg.ts';

const LEFT = 90;
const TIMES = [LEFT, 720] as const;
const COSTS = [770, PAGE_WIDTH - 80] as const;
const TOP = 44;
const ROW = 26;

/** When each stage ran, and beside it what it cost. */
export function timelinePlot(timeline: Timeline, stages: readonly StageRow[]): string {
  const bottom = TOP + ROW * stages.length;
  const times = linearScale([0, timeline.seconds], TIMES, 7);
  const dearest = Math.max(...stages.map(({ costUsd }) => costUsd));
  const costs = dearest > 0 ? linearScale([0, dearest], COSTS, 3) : null;
  const spans = new Map(timeline.stages.map((stage) => [stage.name, stage.spans]));
  return svg({
    width: PAGE_WIDTH,
    height: bottom + 34,
    description: described(timeline, stages),
    parts: [
      text(TIMES[0], TOP - 22, 'Seconds, pauses left out', { bold: true, fill: INK, size: 12 }),
      ...grid(times, bottom),
      ...timeline.pauses.map((at) => line(times(at), TOP - 6, times(at), bottom, CONTEXT, 'stroke-dasharray="3 3"')),
      ...(costs ? [text(COSTS[0], TOP - 22, 'Cost', { bold: true, fill: INK, size: 12 })] : []),
      ...stages.flatMap(({ name, costUsd }, i) => {
        const y = TOP + i * ROW;
        return [
          text(LEFT - 10, y + ROW / 2 + 4, name, { anchor: 'end', fill: INK, size: 12 }),
          ...(spans.get(name) ?? []).map(([from, to]) =>
            rect(times(from), y + 5, Math.max(1, times(to) - times(from)), ROW - 10, WEIGHTED),
          ),
          ...(costs ? costBar(costUsd, costs, y) : []),
        ];
      }),
    ],
  });
}

function grid(scale: Scale, bottom: number): string[] {
  return scale.ticks.flatMap((tick) => [
    line(scale(tick), TOP, scale(tick), bottom, LINE),
    text(scale(tick), bottom + 17, scale.label(tick), { anchor: 'middle' }),
  ]);
}

function costBar(costUsd: number, scale: Scale, y: number): string[] {
  return [
    rect(COSTS[0], y + 5, Math.max(1, scale(costUsd) - COSTS[0]), ROW - 10, UNIFORM),
    text(scale(costUsd) + 7, y + ROW / 2 + 4, dollars(costUsd)),
  ];
}

function described({ seconds, pauses }: Timeline, stages: readonly StageRow[]): string {
  const each = stages.map(
    ({ name, seconds: allocated, costUsd }) => `${name} ${allocated.toFixed(1)} s, ${dollars(costUsd)}`,
  );
  const left = pauses.length > 0 ? `, with ${pauses.length} ${pauses.length === 1 ? 'pause' : 'pauses'} left out` : '';
  return (
    `Timeline of the stages over ${seconds.toFixed(1)} seconds${left}, and their cost, ${dollars(sum(stages, (row) => row.costUsd))} in all. ` +
    `Allocated seconds and cost: ${each.join('; ')}.`
  );
}
