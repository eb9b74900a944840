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

/** Ticks at 1, 2, 5 times powers of ten, or at their powers alone where those are many; where none fit, at even steps. @param domain above 0 */
export function logScale(domain: readonly [number, number], range: readonly [number, number], count = 5): Scale {
  const [low, high] = domain;
  const decades = Array.from({ length: 2 + Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) }, (_, i) =>
    Number(`1e${Math.floor(Math.log10(low)) + i}`),
  );
  const within = (steps: number[]) =>
    decades
      .flatMap((decade) => steps.map((step) => decade * step))
      .filter((x) => x >= low * 0.999 && x <= high * 1.001);
  const found = [[1, 2, 5], [1]].map(within);
  const ticks = found[0]!.length <= count + 1 ? found[0]! : found[1]!;
  return Object.assign(between(domain, range, Math.log), {
    ticks: ticks.length >= 2 ? ticks : linearScale(domain, range, count - 2).ticks,
  });
}

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
