import { randomStream } from '../math/random.ts';

/**
 * The order of an epoch, a permutation of 0 to n - 1 that follows from (seed, epoch) alone. Fisher and Yates' shuffle.
 * @returns (n,)
 */
export function epochOrder(seed: number, epoch: number, n: number): Int32Array {
  const stream = randomStream({ seed, classIndex: epoch, purpose: 'order of an epoch' });
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(stream.uniform(i) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
