import { invalid } from '../base/errors.ts';
import { type OverallFigures } from './figures.ts';
import { type Gate, type GateFigure, type GateResult } from './ports.ts';
import { type RunQuality } from './quality.ts';

/** What a gate may ask about; COST and IMAGES are of the whole run. */
export const GATE_FIGURES = {
  W2: 'w2Weighted',
  HELDOUT_W2: 'heldoutW2',
  W2_DECODED: 'w2Decoded',
  REDUCTION: 'reduction',
  REDUCTION_BALANCED: 'reductionBalanced',
  REDUCTION_D4M: 'reductionD4m',
  ESS: 'ess',
  NEAREST_RATIO: 'nearestRatio',
  COST: null,
  IMAGES: null,
} as const satisfies Record<GateFigure, keyof OverallFigures | null>;

/** Distances in the latents of one prior, which say nothing beside those of another. */
const IN_LATENTS: ReadonlySet<GateFigure> = new Set(['W2', 'HELDOUT_W2', 'W2_DECODED']);

const MOST_GATES = 50;

/** @throws INVALID_INPUT */
export function checkGates(gates: readonly Gate[]): Gate[] {
  if (gates.length > MOST_GATES) {
    throw invalid(`expected at most ${MOST_GATES} gates, got ${gates.length}: leave some out`, { path: ['gates'] });
  }
  for (const [at, { figure, scope, atMost, atLeast }] of gates.entries()) {
    const path = ['gates', String(at)];
    if (atMost === null && atLeast === null) {
      throw invalid(`expected atMost or atLeast in the gate on ${figure}, got neither: say what it lets through`, {
        path,
      });
    }
    if (atMost !== null && atLeast !== null && atLeast > atMost) {
      throw invalid(
        `expected atLeast up to atMost in the gate on ${figure}, got ${atLeast} and ${atMost}: exchange them`,
        { path },
      );
    }
    if (scope === 'EVERY_CLASS' && GATE_FIGURES[figure] === null) {
      throw invalid(
        `expected OVERALL for ${figure}, which classes do not have, got EVERY_CLASS: ask of the whole run`,
        {
          path: [...path, 'scope'],
        },
      );
    }
  }
  return [...gates];
}

export const letsThrough = ({ verdict }: GateResult): boolean => verdict === 'PASSED' || verdict === 'NOTHING_PROMOTED';

/** @param promoted what the alias stands for now; null: nothing yet */
export function evaluateGates(gates: readonly Gate[], run: RunQuality, promoted: RunQuality | null): GateResult[] {
  return gates.map((gate) => evaluateGate(gate, run, promoted));
}

function evaluateGate(gate: Gate, run: RunQuality, promoted: RunQuality | null): GateResult {
  const values = valuesOf(gate, run);
  const unmeasured = values.length === 0 || values.some(({ value }) => value === null);
  if (unmeasured) return { ...gate, verdict: 'NOT_MEASURED', value: null, promotedValue: null, className: null };
  if (gate.against === 'NOTHING') return judged(gate, values as Measured[], new Map());
  if (!promoted) return { ...judged(gate, values as Measured[], new Map()), verdict: 'NOTHING_PROMOTED' };
  if (IN_LATENTS.has(gate.figure) && promoted.run.priorId !== run.run.priorId) {
    return { ...gate, verdict: 'NOT_COMPARABLE', value: null, promotedValue: null, className: null };
  }
  const before = new Map(valuesOf(gate, promoted).map(({ className, value }) => [className, value]));
  // A class that is new is no worse than it was.
  const known = (values as Measured[]).filter(({ className }) => typeof before.get(className) === 'number');
  if (known.length > 0) return judged(gate, known, before as Map<string | null, number>);
  return { ...gate, verdict: 'NOT_MEASURED', value: null, promotedValue: null, className: null };
}

interface Measured {
  /** Null: of the whole run. */
  className: string | null;
  value: number;
}

function valuesOf({ figure, scope }: Gate, quality: RunQuality) {
  const name = GATE_FIGURES[figure];
  if (scope === 'EVERY_CLASS')
    return quality.classes.map((one) => ({ className: one.className, value: name && one[name] }));
  const ofRun = figure === 'COST' ? quality.costToMakeUsd : quality.images;
  return [{ className: null, value: name === null ? ofRun : (quality.overall?.[name] ?? null) }];
}

/** By the one that is furthest outside, or nearest to a bound. */
function judged(gate: Gate, values: readonly Measured[], before: ReadonlyMap<string | null, number>): GateResult {
  const excess = ({ value, className }: Measured) => {
    const compared = value - (before.get(className) ?? 0);
    return Math.max(compared - (gate.atMost ?? Infinity), (gate.atLeast ?? -Infinity) - compared);
  };
  const worst = values.reduce((a, b) => (excess(b) > excess(a) ? b : a));
  return {
    ...gate,
    verdict: excess(worst) <= 0 ? 'PASSED' : 'FAILED',
    value: worst.value,
    promotedValue: before.get(worst.className) ?? null,
    className: worst.className,
  };
}

/** `W2 of class A is 12.7, expected at most 12` */
export function gateText({
  figure,
  against,
  atMost,
  atLeast,
  verdict,
  value,
  promotedValue,
  className,
}: GateResult): string {
  const of = className === null ? figure : `${figure} of class ${className}`;
  const bounds = [atLeast === null ? [] : `at least ${atLeast}`, atMost === null ? [] : `at most ${atMost}`].flat();
  const expected = bounds.join(' and ') + (against === 'PROMOTED' ? ' more than what is promoted' : '');
  if (verdict === 'NOT_MEASURED') return `${of} was not measured, expected ${expected}`;
  if (verdict === 'NOT_COMPARABLE') return `${of} is in the latents of another prior than what is promoted`;
  if (verdict === 'NOTHING_PROMOTED')
    return `${of} is ${short(value!)}, and nothing is promoted yet to compare it with`;
  const beside = promotedValue === null ? '' : ` beside ${short(promotedValue)}`;
  return `${of} is ${short(value!)}${beside}, expected ${expected}`;
}

const short = (value: number): string => String(Number(value.toPrecision(6)));
