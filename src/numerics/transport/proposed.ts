import { errorBound, frameFor, frameOf, normalize, squaredDistance, type Frame } from '../math/distance.ts';
import { assertPoints, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { sum } from '../math/sum.ts';
import { type Transport } from './transport.ts';

/** Squared distances that a matrix product proposes, and that are measured where they decide. */
export interface ProposedCosts {
  /**
   * (n, k), in squared units of the points times `scale`: squared distances less a constant for each point, which changes no plan. Within the product's
   * error, or exact once they were measured.
   */
  readonly cost: Float64Array;
  /** a power of two */
  readonly scale: number;
  /**
   * Measures every distance that a plan uses, and every one that could be least in cost - price for its sample.
   * With all these exact, so are the plan's cost and the dual's value.
   */
  decide(transport: Transport): Decision;
}

export interface Decision {
  /** cost of the plan, exact */
  readonly value: number;
  /** value of the dual at the transport's prices, exact: no plan costs less */
  readonly dual: number;
  /** distances that had not been measured before */
  readonly measured: number;
}

/**
 * By |c|^2 - 2 x.c, without the norms of the points: those would take a pass over them, and the first distance that is measured for a point tells what it
 * lacks. The points are read by the product and for the distances of the plan, no more.
 *
 * The bound on a product's error follows from its contract (math/product.ts), so any product leads to exact values; a rougher one
 * has more distances measured.
 *
 * @param points (n, d), of checked shape
 * @throws INVALID_INPUT if a point is not finite
 */
export async function proposedCosts(
  points: Points,
  centroids: Points,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<ProposedCosts> {
  const { n, d } = points;
  const k = centroids.n;
  let frame = frameFor(points);
  let proposal = await proposalIn(frame, points, centroids, product, signal);
  if (!proposal) {
    assertPoints(points, 'points');
    frame = frameOf(points);
    proposal = (await proposalIn(frame, points, centroids, product, signal))!;
  }
  const { cost, norms } = proposal;
  const scale = frame.scale ** 2;
  const largest = norms.reduce((a, b) => Math.max(a, b), 0);
  const isMeasured = new Uint8Array(n * k);
  const distances = new Float64Array(n * k);
  /** (n,): what a cost lacks of the squared distance; NaN until one was measured */
  const lacking = new Float64Array(n).fill(NaN);
  return { cost, scale, decide };

  function decide({ plan, v }: Transport): Decision {
    let measured = 0;
    const terms = plan.mass.map((mass, e) => mass * exact(plan.samples[e]!, plan.sinks[e]!));
    const least = new Float64Array(n).fill(Infinity);
    const slack = new Float64Array(n);
    plan.samples.forEach((i, e) => {
      const c = plan.sinks[e]!;
      const squared = distances[i * k + c]!;
      least[i] = Math.min(least[i]!, squared - v[c]!);
      // What the cost lacks is the point's squared norm but for an error of this distance; another is in the one that is compared with it.
      const atMost = (Math.sqrt(squared) + Math.sqrt(norms[c]!)) ** 2;
      const norm = Math.max(0, Math.min(atMost, lacking[i]! + errorBound(atMost, largest, d)));
      slack[i] = 2 * errorBound(norm, largest, d);
    });
    for (let i = 0, p = 0; i < n; i++) {
      const limit = slack[i]! - lacking[i]!;
      for (let c = 0; c < k; c++, p++)
        if (cost[p]! - v[c]! < least[i]! + limit) least[i] = Math.min(least[i]!, exact(i, c) - v[c]!);
    }
    const dual = sum(least) / n + sum(plan.mass.map((mass, e) => mass * v[plan.sinks[e]!]!));
    return { value: sum(terms), dual, measured };

    function exact(i: number, c: number): number {
      const p = i * k + c;
      if (!isMeasured[p]) {
        isMeasured[p] = 1;
        measured++;
        distances[p] = scale * squaredDistance(points.values, i, centroids.values, c, d);
        if (Number.isNaN(lacking[i])) lacking[i] = distances[p]! - cost[p]!;
        else cost[p] = distances[p]! - lacking[i]!;
      }
      return distances[p]!;
    }
  }
}

/** @returns null where the product is not finite */
async function proposalIn(
  frame: Frame,
  points: Points,
  centroids: Points,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<{ cost: Float64Array; norms: Float64Array } | null> {
  const { n, d } = points;
  const k = centroids.n;
  const left = frame.asTheyAre ? points.values : normalize(points.values, n, d, frame).values;
  const { values: right, norms } = normalize(centroids.values, k, d, frame);
  const dots = await product(left, right, { m: n, k: d, n: k, transposeB: true }, signal);
  const cost = new Float64Array(n * k);
  let nothing = 0;
  for (let i = 0, p = 0; i < n; i++)
    for (let c = 0; c < k; c++, p++) {
      const value = norms[c]! - 2 * dots[p]!;
      cost[p] = value;
      nothing += 0 * value;
    }
  return nothing === 0 ? { cost, norms } : null;
}
