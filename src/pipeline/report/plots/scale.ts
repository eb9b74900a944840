import { signed } from '../html.ts';

/** Numbers to pixels, and where an axis has its ticks. */
export interface Scale {
  (value: number): number;
  /** Rising, within the domain. */
  ticks: number[];
  /** A tick in words. */
  label(tick: number): string;
}

/** @param domain of values, low < high @param range of pixels, where low and high go @param count of ticks, about */
export function linearScale(domain: readonly [number, number], range: readonly [number, number], count = 5): Scale {
  const [low, high] = domain;
  return stepped(domain, range, niceStep((high - low) / count));
}

/** A linear scale that holds all of these values and ends at ticks. @param values at least one, finite @param count of ticks, about */
export function enclosingScale(values: readonly number[], range: readonly [number, number], count = 6): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const step = niceStep((most - least || Math.abs(most) || 1) / count);
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(most / step - 1e-9));
  return stepped([first * step, last * step], range, step);
}

/** Ticks at round numbers, as many as the count allows; on a short axis that has none, at even steps. @param domain above 0 */
export function logScale(domain: readonly [number, number], range: readonly [number, number], count = 5): Scale {
  const [low, high] = domain;
  const first = Math.floor(Math.log10(low));
  const decades = Array.from({ length: Math.floor(Math.log10(high)) - first + 1 }, (_, i) => Number(`1e${first + i}`));
  const within = (steps: readonly number[]) =>
    decades
      .flatMap((decade) => steps.map((step) => Number((decade * step).toPrecision(3))))
      .filter((x) => x >= low && x <= high);
  const fitting = STEPS.map(within).filter((ticks) => ticks.length >= 2 && ticks.length <= count + 1);
  const ticks = fitting.sort((a, b) => b.length - a.length)[0];
  const { ticks: even, label } = linearScale(domain, range, count);
  return Object.assign(between(domain, range, Math.log), { ticks: ticks ?? even, label: ticks ? String : label });
}

/** Round numbers of a decade, from few to many. */
const STEPS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]];

/** From the least to the greatest of these values with some room around, on a logarithmic axis. */
export function paddedLog(values: readonly number[], share = 0.06): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const factor = Math.max((high / low) ** share, 1.01);
  return [low / factor, high * factor];
}

/** Linear, with ticks at the multiples of a step; labels have the decimals that it needs. */
function stepped(domain: readonly [number, number], range: readonly [number, number], step: number): Scale {
  const from = Math.ceil(domain[0] / step - 1e-9);
  const to = Math.floor(domain[1] / step + 1e-9);
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Object.assign(
    between(domain, range, (x) => x),
    { ticks, label: (tick: number) => signed(tick, decimals) },
  );
}

function between(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  of: (x: number) => number,
): (value: number) => number {
  const [a, b] = [of(low), of(high)];
  return (value) => from + ((of(value) - a) / (b - a)) * (to - from);
}

/** The least of 1, 2, 5 times a power of ten that is not below. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((step) => step * power >= least * (1 - 1e-9))!;
}
