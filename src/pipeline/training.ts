import { PushforwardError } from '../base/errors.ts';
import { type Published } from '../engine/ports.ts';
import { randomStream } from '../numerics/math/random.ts';
import { chosenRows, rowsOf } from '../numerics/math/rows.ts';
import { type Latents } from './latents.ts';
import { checkPoints, type CountedClass } from './points.ts';
import { holdoutCount, type Recipe } from './recipe.ts';

/** A class of a run as its encode tasks left it. */
export interface EncodedClass extends CountedClass {
  label: number;
  /** Artifacts of its latents. */
  latents: string[];
}

/**
 * The classes of a run in label order.
 * @throws CORRUPT_IMAGE where more images of a class were left out than the recipe tolerates; INVALID_INPUT where too few are left for the points asked for
 */
export function encodedClasses(encoded: readonly Published[], recipe: Recipe): EncodedClass[] {
  const byLabel = Map.groupBy(encoded, (chunk) => classOf(chunk).label);
  const classes = [...byLabel].map(([label, chunks]): EncodedClass => {
    const { className: name } = classOf(chunks[0]!);
    refuseCorrupt(name, chunks, recipe);
    const images = chunks.reduce((sum, chunk) => sum + chunk.manifest.metrics['images']!, 0);
    return { name, label, images, latents: chunks.map((chunk) => chunk.manifest.id) };
  });
  checkPoints(recipe, classes);
  return classes;
}

function classOf(chunk: Published): { className: string; label: number } {
  return chunk.task.locators as unknown as { className: string; label: number };
}

function refuseCorrupt(className: string, chunks: readonly Published[], { tolerances }: Recipe): void {
  const skipped = chunks.reduce((sum, chunk) => sum + chunk.manifest.metrics['skipped']!, 0);
  if (skipped <= tolerances.corruptImages) return;
  const named = chunks.flatMap((chunk) => chunk.manifest.content['skipped'] as { path: string }[]);
  throw new PushforwardError(
    'CORRUPT_IMAGE',
    `expected at most ${tolerances.corruptImages} corrupt images in class ${className}, got ${skipped} ` +
      `(${named
        .slice(0, 3)
        .map((image) => image.path)
        .join(', ')}): mend them, or raise tolerances.corruptImages (--tolerate-corrupt)`,
    { className, skipped: named.slice(0, 20) },
  );
}

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
