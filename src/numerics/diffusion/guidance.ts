import { invalid } from '../../base/errors.ts';

/**
 * Classifier-free guidance as diffusers combines it: unconditional + scale (conditional - unconditional).
 * Scale 1 is the conditional prediction, 0 the unconditional one.
 *
 * Ho and Salimans, "Classifier-free diffusion guidance", 2022, equation 6, where their w is scale - 1.
 *
 * @throws INVALID_INPUT if the lengths differ
 */
export function guide(unconditional: Float32Array, conditional: Float32Array, scale: number): Float32Array {
  if (unconditional.length !== conditional.length)
    throw invalid(
      `expected two predictions of one shape, got ${unconditional.length} and ${conditional.length} values: ask for both on the same batch`,
    );
  return unconditional.map((u, i) => u + scale * (conditional[i]! - u));
}
