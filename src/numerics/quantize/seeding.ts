import { throwIfAborted } from '../../base/abort.ts';
import { type RandomStream } from '../math/random.ts';
import { dotsWith, type Space } from './space.ts';

/**
 * Greedy k-means++: each next centroid is the best of `TRIALS` samples that were drawn with probability proportional to
 * the squared distance to the nearest centroid so far.
 *
 * Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2 and the greedy variant of section 7.
 *
 * All starts are seeded together, so that a product serves the trials of all. Dot products are exact, so that the draws do not
 * depend on the product. Once every sample lies on a centroid (fewer distinct samples than k), further centroids repeat samples.
 *
 * @param streams one for each start
 * @returns for each start which centroid is nearest (n,), and the sum of the squared distances to them
 */
export async function seedGreedily(
  space: Space,
  k: number,
  streams: readonly RandomStream[],
  signal?: AbortSignal,
): Promise<Seeding[]> {
  const { n, norms } = space;
  const starts = streams.map((stream) => ({
    stream,
    nearest: new Int32Array(n),
    closest: new Float64Array(n).fill(Infinity),
  }));
  const cumulative = new Float64Array(n);
  for (let c = 0; c < k; c++) {
    throwIfAborted(signal);
    const candidates = starts.flatMap(({ stream, closest }) => drawn(closest, cumulative, stream, c));
    const perStart = candidates.length / starts.length;
    const dots = await dotsWith(space, candidates, signal);
    starts.forEach(({ nearest, closest }, s) => {
      const at = bestTrial(s * perStart, (s + 1) * perStart, candidates, closest, norms, dots);
      take(at, c, candidates, closest, nearest, norms, dots);
    });
  }
  return starts.map(({ nearest, closest }) => ({ assignment: nearest, potential: closest.reduce((a, b) => a + b, 0) }));
}

/** With the usual 2 + log k, searches end no lower (CIFAR-10's airplanes, K = 10 and 50) and seeding takes two to three times as long. */
const TRIALS = 2;

export interface Seeding {
  readonly assignment: Int32Array;
  readonly potential: number;
}

/** The first centroid is any sample. @param cumulative (n,), overwritten */
function drawn(closest: Float64Array, cumulative: Float64Array, stream: RandomStream, c: number): number[] {
  const n = closest.length;
  const draw = (trial: number) => stream.uniform(c * TRIALS + trial);
  if (c === 0) return [Math.floor(draw(0) * n)];
  let total = 0;
  for (let i = 0; i < n; i++) cumulative[i] = total += closest[i]!;
  return Array.from({ length: TRIALS }, (_, t) =>
    total > 0 ? indexAt(cumulative, draw(t) * total) : Math.floor(draw(t) * n),
  );
}

/** Which of the candidates leaves the least sum of squared distances to the nearest centroid. */
function bestTrial(
  from: number,
  to: number,
  candidates: readonly number[],
  closest: Float64Array,
  norms: Float64Array,
  dots: Float32Array,
): number {
  const n = closest.length;
  let best = from;
  let least = Infinity;
  for (let at = from; at < to; at++) {
    const norm = norms[candidates[at]!]!;
    let potential = 0;
    for (let i = 0, p = at * n; i < n; i++, p++) {
      const squared = norms[i]! + norm - 2 * dots[p]!;
      potential += squared < closest[i]! ? squared : closest[i]!;
    }
    if (potential >= least) continue;
    least = potential;
    best = at;
  }
  return best;
}

function take(
  at: number,
  c: number,
  candidates: readonly number[],
  closest: Float64Array,
  nearest: Int32Array,
  norms: Float64Array,
  dots: Float32Array,
): void {
  const norm = norms[candidates[at]!]!;
  for (let i = 0, p = at * closest.length; i < closest.length; i++, p++) {
    const squared = norms[i]! + norm - 2 * dots[p]!;
    if (squared >= closest[i]!) continue;
    closest[i] = squared;
    nearest[i] = c;
  }
}

/** The first index whose cumulated value exceeds the target, never one that adds nothing. */
export function indexAt(cumulative: Float64Array, target: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cumulative[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return low;
}
