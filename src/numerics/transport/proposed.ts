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
  /** value of the dual at the transport's prices: no plan costs less, but for rounding of the points' squared norms */
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
  const costs: Costs = {
    cost,
    largest: norms.reduce((a, b) => Math.max(a, b), 0),
    norms,
    isMeasured: new Uint8Array(n * k),
    lacking: new Float64Array(n).fill(NaN),
    measure: (i, c) => scale * squaredDistance(points.values, i, centroids.values, c, d),
  };
  return { cost, scale, decide: (transport) => decided(costs, n, d, transport) };
}

interface Costs {
  /** (n, k): proposed, or exact where `isMeasured` */
  readonly cost: Float64Array;
  readonly isMeasured: Uint8Array;
  /** (k,): squared norms of the centroids */
  readonly norms: Float64Array;
  readonly largest: number;
  /** (n,): what a cost lacks of the squared distance; NaN until one was measured */
  readonly lacking: Float64Array;
  readonly measure: (i: number, c: number) => number;
}

function decided(costs: Costs, n: number, d: number, { plan, v }: Transport): Decision {
  const { cost, norms, largest, lacking } = costs;
  const k = norms.length;
  const { samples, sinks, mass } = plan;
  const entries = mass.length;
  const least = new Float64Array(n).fill(Infinity);
  const limits = new Float64Array(n);
  const primal = new Float64Array(entries);
  const demanded = new Float64Array(entries);
  let measured = 0;
  for (let e = 0; e < entries; e++) {
    const i = samples[e]!;
    const c = sinks[e]!;
    measured += measureAt(costs, i * k + c, i, c);
    const squared = squaredAt(costs, i * k + c, i, c);
    primal[e] = mass[e]! * squared;
    demanded[e] = mass[e]! * v[c]!;
    least[i] = Math.min(least[i]!, cost[i * k + c]! - v[c]!);
    // What the cost lacks is the point's squared norm but for an error of this distance; another is in the one that is compared with it.
    const atMost = (Math.sqrt(squared) + Math.sqrt(norms[c]!)) ** 2;
    const norm = Math.max(0, Math.min(atMost, lacking[i]! + errorBound(atMost, largest, d)));
    limits[i] = 2 * errorBound(norm, largest, d);
  }
  for (let i = 0, p = 0; i < n; i++) {
    const slack = limits[i]!;
    let lowest = least[i]!;
    for (let c = 0; c < k; c++, p++) {
      if (!(cost[p]! - v[c]! < lowest + slack)) continue;
      measured += measureAt(costs, p, i, c);
      lowest = Math.min(lowest, cost[p]! - v[c]!);
    }
    least[i] = lowest + lacking[i]!;
  }
  return { value: sum(primal), dual: sum(least) / n + sum(demanded), measured };
}

/** Makes the cost of sample i at sink c exact, entry p of them. @returns 1, or 0 if it was */
function measureAt({ cost, isMeasured, lacking, measure }: Costs, p: number, i: number, c: number): 0 | 1 {
  if (isMeasured[p]) return 0;
  isMeasured[p] = 1;
  const squared = measure(i, c);
  if (Number.isNaN(lacking[i])) lacking[i] = squared - cost[p]!;
  cost[p] = squared - lacking[i]!;
  return 1;
}

/** The measured distance of sample i and sink c, entry p: from the cost, where what that lacks does not hide it. */
function squaredAt({ cost, lacking, measure }: Costs, p: number, i: number, c: number): number {
  const squared = cost[p]! + lacking[i]!;
  return Math.abs(lacking[i]!) <= HIDING * squared ? squared : measure(i, c);
}

/** Rounding is at most 2^-32 of the distance then. */
const HIDING = 2 ** 20;

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
