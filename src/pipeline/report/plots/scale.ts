/** Numbers to pixels, and where an axis has its ticks. */
export interface Scale {
  (value: number): number;
  /** Rising, within the domain. */
  ticks: number[];
}

/** @param domain of values, low < high @param range of pixels, where low and high go @param count of ticks, about */
export function linearScale(domain: readonly [number, number], range: readonly [number, number], count = 5): Scale {
  const [low, high] = domain;
  const step = niceStep((high - low) / count);
  const from = Math.ceil(low / step - 1e-9);
  const to = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
  return Object.assign(
    between(domain, range, (x) => x),
    { ticks },
  );
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
  const ticks = fitting.sort((a, b) => b.length - a.length)[0] ?? linearScale(domain, range, count).ticks;
  return Object.assign(between(domain, range, Math.log), { ticks });
}

/** Round numbers of a decade, from few to many. */
const STEPS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]];

/** From the least to the greatest of these values with some room around, on a logarithmic axis. */
export function paddedLog(values: readonly number[], share = 0.06): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const factor = Math.max((high / low) ** share, 1.01);
  return [low / factor, high * factor];
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
