import { throwIfAborted } from '../../base/abort.ts';
import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type RandomStream } from '../math/random.ts';
import { median } from '../math/sum.ts';
import { lloyd, type LloydContext, type LloydResult } from './lloyd.ts';
import { type Rounded } from './rounded.ts';
import { indexAt } from './seeding.ts';

/**
 * Whether the grid hides the cells: where samples lie in groups that are far apart, most of a group may have one place on it. It does where the distortion is
 * not well above what rounding adds, d / 12 for a sample in squared units of the grid.
 */
export function isHiddenBy({ d, scale, sampleNorms }: Rounded, distortion: number): boolean {
  return distortion * scale * scale < d && distortion > ROUNDING * median(sampleNorms);
}

/** Below this share of the squared norm of most samples distortion is rounding of means: float32 tells no samples apart that are so near. */
const ROUNDING = 2 ** -64;

/**
 * A search without a grid, for samples whose cells that hides: k-means++ by distances of the samples themselves, in float64, then Lloyd's algorithm, and the
 * best of several starts. Each start takes n k d operations of one thread for its seeds, and each iteration as many where a product cannot tell centroids apart.
 *
 * Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
 *
 * @param points (n, d), checked by the caller
 * @param norms (n,): their squared norms
 * @param streams one for each start
 * @returns the best end; null without starts
 */
export async function searchUnrounded(
  points: Points,
  norms: Float64Array,
  k: number,
  streams: readonly RandomStream[],
  maxIterations: number,
  context: LloydContext,
): Promise<LloydResult | null> {
  let best: LloydResult | null = null;
  for (const stream of streams) {
    const seeded = seedUnrounded(points, k, stream, context.signal);
    const end = await lloyd(points, norms, k, seeded, maxIterations, context);
    if (!best || end.distortion < best.distortion) best = end;
  }
  return best;
}

/** (n,): the nearest of k samples that were drawn with probability proportional to the squared distance to the nearest before. */
function seedUnrounded({ values, n, d }: Points, k: number, stream: RandomStream, signal?: AbortSignal): Int32Array {
  const nearest = new Int32Array(n);
  const closest = new Float64Array(n).fill(Infinity);
  const cumulative = new Float64Array(n);
  for (let c = 0; c < k; c++) {
    throwIfAborted(signal);
    let total = 0;
    if (c > 0) for (let i = 0; i < n; i++) cumulative[i] = total += closest[i]!;
    const draw = stream.uniform(c);
    const drawn = total > 0 ? indexAt(cumulative, draw * total) : Math.floor(draw * n);
    for (let i = 0; i < n; i++) {
      const squared = squaredDistance(values, i, values, drawn, d);
      if (squared >= closest[i]!) continue;
      closest[i] = squared;
      nearest[i] = c;
    }
  }
  return nearest;
}
