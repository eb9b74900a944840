import { invalid } from '../../base/errors.ts';
import { sum } from '../math/sum.ts';

/**
 * The effective sample size of weights, in points: (sum w)^2 / sum w^2. All equal gives their number, one alone gives 1.
 *
 * @throws INVALID_INPUT if a weight is negative or not finite, or none is positive
 */
export function effectiveSampleSize(weights: ArrayLike<number>): number {
  const total = assertWeights(weights, 'weights');
  return (total * total) / sum(Array.from(weights, (w) => w * w));
}

export interface TrainingWeightOptions {
  /** a: 0 gives equal weights in a class (D4M), 1 the Voronoi masses (the theory), 1/2 lies between */
  readonly exponent: number;
  /** (c,), sum to 1: the classes' shares of the data; without it every class has the same */
  readonly classShares?: ArrayLike<number>;
}

/**
 * The weights that training uses: w[c,k] = N p[c] m[c,k]^a / sum_j m[c,j]^a with N points in all, so that their mean is 1.
 * At a = 0 points of mass 0 count like the others.
 *
 * @param masses per class (k_c,): Voronoi masses, up to a factor per class
 * @returns per class (k_c,)
 * @throws INVALID_INPUT if masses, shares or the exponent are out of their range
 */
export function trainingWeights(
  masses: readonly ArrayLike<number>[],
  { exponent, classShares }: TrainingWeightOptions,
): Float64Array[] {
  if (!(exponent >= 0 && exponent <= 1))
    throw invalid(`expected an exponent from 0 to 1, got ${exponent}: 0 ignores the masses, 1 takes them as they are`);
  const shares = classShares ?? new Float64Array(masses.length).fill(1 / masses.length);
  if (shares.length !== masses.length)
    throw invalid(`expected ${masses.length} class shares, got ${shares.length}: give one for each class`);
  const total = assertWeights(shares, 'class shares');
  if (Math.abs(total - 1) > 1e-6) throw invalid(`expected class shares that sum to 1, got ${total}: divide by the sum`);
  const points = sum(masses.map((m) => m.length));
  return masses.map((classMasses, c) => {
    assertWeights(classMasses, `masses of class ${c}`);
    const powers = Float64Array.from(classMasses, (m) => m ** exponent);
    const factor = (points * shares[c]!) / (total * sum(powers));
    return powers.map((power) => power * factor);
  });
}

function assertWeights(weights: ArrayLike<number>, what: string): number {
  for (let i = 0; i < weights.length; i++)
    if (!(weights[i]! >= 0 && weights[i]! < Infinity))
      throw invalid(`expected finite ${what} >= 0, got ${weights[i]} at index ${i}: repair it`, { index: i });
  const total = sum(weights);
  if (!(total > 0)) throw invalid(`expected ${what} with a positive sum, got ${total}: at least one must count`);
  return total;
}
