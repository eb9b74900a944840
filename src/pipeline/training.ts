import { randomStream } from '../numerics/math/random.ts';
import { chosenRows, rowsOf } from '../numerics/math/rows.ts';
import { type Latents } from './latents.ts';
import { holdoutCount } from './recipe.ts';

/** What decides which samples of a class are held out: the same in every stage. */
export interface Holdout {
  holdout: number;
  seed: number;
  label: number;
}

/**
 * The samples with the smallest counted random numbers are held out.
 * @returns (n,): 1 for those, in the order of the dataset version
 */
export function heldOutFlags(n: number, { holdout, seed, label }: Holdout): Uint8Array {
  const keys = randomStream({ seed, classIndex: label, purpose: 'holdout' });
  const isHeldOut = new Uint8Array(n);
  for (const i of chosenRows(n, holdoutCount(n, holdout), keys)) isHeldOut[i] = 1;
  return isHeldOut;
}

/** @param latents of one class, in the order of the dataset version */
export function splitLatents({ points }: Latents, of: Holdout) {
  const isHeldOut = heldOutFlags(points.n, of);
  const pick = (flag: number) => rowsOf(points, rowsWith(isHeldOut, flag));
  return { training: pick(0), heldOut: pick(1), isHeldOut };
}

/** The samples that are held out (1), or that are not (0). */
export function rowsWith(isHeldOut: Uint8Array, flag: number): Int32Array {
  return Int32Array.from(isHeldOut.keys()).filter((i) => isHeldOut[i] === flag);
}
