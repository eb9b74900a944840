import { count, percent, table } from './table.ts';

/** The part of a run that a drift run has; of `schema/operations/Run.graphql`. */
export interface DriftReport {
  overall: { alarm: boolean; fresh: number; sampled: number; classesTested: number; classesDrifted: number };
  classes: ClassDrift[];
}

interface ClassDrift {
  className: string;
  state: string;
  drifted: boolean;
  fresh: number;
  kept: number;
  removed: number;
  sampled: number;
  referenceN: number;
  distanceRatio: number | null;
  distancePValueCorrected: number | null;
  massChange: number | null;
  massPValueCorrected: number | null;
}

/** A table of the classes, and what it comes to in words. */
export function driftSummary({ overall, classes }: DriftReport): string {
  const rows = classes.map((one) => [
    one.className.length > 40 ? `${one.className.slice(0, 39)}\u2026` : one.className,
    one.state === 'TESTED' && one.drifted ? 'DRIFT' : STATES[one.state]!,
    ...[one.fresh, one.kept, one.removed, one.sampled, one.referenceN].map(count),
    or(one.distanceRatio, (ratio) => (ratio < 1e6 ? ratio.toFixed(3) : 'infinite')),
    or(one.distancePValueCorrected, pValue),
    or(one.massChange, percent),
    or(one.massPValueCorrected, pValue),
  ]);
  const head = [
    ...['class', '', 'new', 'kept', 'removed', 'compared', 'held out', 'distance x', 'p', 'mass moved', 'p'],
  ];
  const named = (state: string) => classes.filter((one) => one.state === state).length;
  const changed = [
    ...(named('NEW') > 0 ? [`${count(named('NEW'))} new`] : []),
    ...(named('VANISHED') > 0 ? [`${count(named('VANISHED'))} gone`] : []),
  ];
  const verdict = overall.alarm ? 'Drift' : 'No drift';
  const tested = `${count(overall.classesDrifted)} of ${count(overall.classesTested)} classes that were compared have drifted`;
  return [
    table(head, rows),
    `${verdict}: ${tested}, by ${count(overall.sampled)} of ${count(overall.fresh)} new images${changed.length > 0 ? `; classes: ${changed.join(', ')}` : ''}.`,
  ].join('\n\n');
}

const STATES: Record<string, string> = {
  TESTED: 'like before',
  UNCHANGED: 'no new image',
  TOO_FEW: 'too few',
  NEW: 'new class',
  VANISHED: 'gone',
};

const or = (value: number | null, as: (value: number) => string): string => (value === null ? '-' : as(value));
const pValue = (value: number): string => (value < 1e-6 ? '<1e-6' : String(Number(value.toPrecision(2))));
