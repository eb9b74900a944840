import { approximateSquaredDistances, errorBound, frameFor, inFrame, squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { sum } from '../math/sum.ts';
import { type Transport } from './transport.ts';

/** Squared distances that a matrix product proposes, and that are measured where they decide. */
export interface ProposedCosts {
  /** (n, k), in squared units of the points times `scale`: within `slack[i]` of the exact ones, or exact once they were measured */
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
 * The bound on a product's error follows from its contract (math/product.ts), so any product leads to exact values; a rougher one
 * has more distances measured.
 *
 * @param norms (n,): squared norms of the points, finite
 * @param centroidNorms (k,)
 */
export async function proposedCosts(
  points: Points,
  centroids: Points,
  norms: Float64Array,
  centroidNorms: Float64Array,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<ProposedCosts> {
  const { n, d } = points;
  const k = centroids.n;
  const frame = frameFor(points, norms);
  const left = inFrame(points, frame, norms);
  const right = inFrame(centroids, frame, centroidNorms);
  const scale = frame.scale ** 2;
  const cost = await approximateSquaredDistances(left, right, product, signal);
  const largest = right.norms.reduce((a, b) => Math.max(a, b), 0);
  const slack = left.norms.map((norm) => errorBound(norm, largest, d));
  const isMeasured = new Uint8Array(n * k);
  return { cost, scale, decide };

  function decide({ plan, v }: Transport): Decision {
    let measured = 0;
    const terms = plan.mass.map((mass, e) => mass * exact(plan.samples[e]!, plan.sinks[e]!));
    const least = new Float64Array(n).fill(Infinity);
    plan.samples.forEach((i, e) => {
      least[i] = Math.min(least[i]!, cost[i * k + plan.sinks[e]!]! - v[plan.sinks[e]!]!);
    });
    for (let i = 0, p = 0; i < n; i++)
      for (let c = 0; c < k; c++, p++)
        if (cost[p]! - v[c]! < least[i]! + slack[i]!) least[i] = Math.min(least[i]!, exact(i, c) - v[c]!);
    const dual = sum(least) / n + sum(plan.mass.map((mass, e) => mass * v[plan.sinks[e]!]!));
    return { value: sum(terms), dual, measured };

    function exact(i: number, c: number): number {
      const p = i * k + c;
      if (!isMeasured[p]) {
        isMeasured[p] = 1;
        measured++;
        cost[p] = scale * squaredDistance(points.values, i, centroids.values, c, d);
      }
      return cost[p]!;
    }
  }
}
