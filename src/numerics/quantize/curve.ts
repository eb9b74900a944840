import { type DistortionCurve } from './allocation.ts';

/**
 * A measured curve at every number of points from 1 on. Between two measurements distortion follows the power of k through both
 * (theory: k^(-2/d), Zador), which is straight where one of them is 0. Beyond the last it goes on by the power of the last two, times the share of samples
 * that no point could stand on yet: so it reaches 0 at k = n, as it does with a point on every sample.
 *
 * @param k from 1, rising
 * @param distortion finite, >= 0
 * @param samples n: how many samples the points are fitted to, at least the last k
 * @param until the last number of points wanted, at most n
 */
export function continuedCurve(
  { k, distortion, share }: DistortionCurve,
  { samples, until }: { samples: number; until: number },
): DistortionCurve {
  const dense = new Array<number>(until);
  let j = 0;
  for (let x = 1; x <= until; x++) {
    while (j < k.length - 2 && x > k[j + 1]!) j++;
    dense[x - 1] = x > k.at(-1)! ? beyond(x) : between(x, j);
  }
  return { k: dense.map((_, i) => i + 1), distortion: dense, share };

  function between(x: number, j: number): number {
    if (k.length === 1) return distortion[0]!;
    const [a, b] = [distortion[j]!, distortion[j + 1]!];
    const t = (x - k[j]!) / (k[j + 1]! - k[j]!);
    if (a <= 0 || b <= 0) return a * (1 - t) + b * t;
    return a * (x / k[j]!) ** powerOf(j);
  }

  function beyond(x: number): number {
    const last = k.length - 1;
    const power = last > 0 ? Math.min(0, powerOf(last - 1)) : 0;
    const uncovered = samples > k[last]! ? (samples - x) / (samples - k[last]!) : 0;
    return distortion[last]! > 0 ? distortion[last]! * (x / k[last]!) ** power * uncovered : 0;
  }

  /** The exponent of the power of k through two measurements. */
  function powerOf(j: number): number {
    const [a, b] = [distortion[j]!, distortion[j + 1]!];
    return a > 0 && b > 0 ? Math.log(b / a) / Math.log(k[j + 1]! / k[j]!) : 0;
  }
}
