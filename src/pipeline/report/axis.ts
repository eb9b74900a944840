/** A linear axis: values from `low` to `high` to pixels from `from` to `to`, with ticks at round numbers. */
export interface Axis {
  at(value: number): number;
  ticks: { value: number; label: string }[];
}

/**
 * An axis that holds all values and ends at ticks.
 *
 * @param values at least one, finite
 * @param about how many ticks would be good
 */
export function axis(values: readonly number[], { from, to }: { from: number; to: number }, about = 6): Axis {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const step = roundStep((most - least || Math.abs(most) || 1) / about);
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(most / step - 1e-9));
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const [low, high] = [first * step, last * step];
  return {
    at: (value) => from + ((to - from) * (value - low)) / (high - low),
    ticks: Array.from({ length: last - first + 1 }, (_, i) => {
      const value = (first + i) * step;
      return { value, label: value.toFixed(decimals) };
    }),
  };
}

/** 1, 2 or 5 times a power of ten, not below. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * [1, 2, 5, 10].find((times) => times * power >= step * (1 - 1e-9))!;
}
