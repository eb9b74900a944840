import { invalid } from '../../base/errors.ts';

/**
 * Probabilities of logits at a temperature: exp(x / T) over their sum, in float64 and without overflow.
 *
 * @param logits (c,)
 * @param temperature > 0; above 1 flattens
 * @returns (c,), sum to 1
 * @throws INVALID_INPUT if the temperature is not positive
 */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  if (!(temperature > 0)) throw invalid(`expected a temperature > 0, got ${temperature}: 1 leaves logits as they are`);
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  let total = 0;
  const powers = Float64Array.from(logits, (x) => {
    const power = Math.exp((x - largest) / temperature);
    total += power;
    return power;
  });
  return powers.map((power) => power / total);
}
