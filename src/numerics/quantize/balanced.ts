import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { squaredDistance, squaredDistances } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { exactDots } from './pieces.ts';
import { rounded, type Rounded } from './rounded.ts';
import { rowDot } from './space.ts';
import { isHiddenBy } from './unrounded.ts';

/**
 * Exact transport from n equal samples to k sinks, such as numerics/transport's `exactTransport`.
 *
 * @param cost (n, k)
 * @param demands (k,), sum to 1
 * @param options prices (k,): the sinks' dual values of a similar problem, to start from
 */
export type Transport = (
  cost: Float64Array,
  shape: { n: number; k: number },
  demands: Float64Array,
  options: { prices?: Float64Array; signal?: AbortSignal },
) => {
  readonly value: number;
  readonly plan: { readonly samples: Int32Array; readonly sinks: Int32Array; readonly mass: Float64Array };
  readonly v: Float64Array;
};

export interface BalancedOptions {
  /** (k, d) each: where to start, such as the centroids of the weighted quantizer; the best end is kept */
  readonly starts: readonly Points[];
  /**
   * `split`: every centroid has exactly 1/k of the mass, and a few samples are split. `whole`: samples stay whole, and centroids
   * have floor(n / k) or one more, those more that have most samples nearest to them at the start. Default `split`.
   */
  readonly samples?: 'split' | 'whole';
  /** per start; default 100 */
  readonly maxIterations?: number;
}

export interface BalancedContext {
  readonly transport: Transport;
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration. */
  readonly onIteration?: (start: number, iteration: number, cost: number) => void | Promise<void>;
}

export interface BalancedStatistics {
  /** mean squared distance of the mass to its centroids, after each iteration, on the grid (rounded.ts) unless that hides the cells; never rises */
  readonly costs: readonly number[];
  readonly converged: boolean;
}

export interface BalancedCodebook {
  /** (k, d), each the mean of its mass */
  readonly centroids: Points;
  /** (k,): 1/k, or whole samples over n */
  readonly weights: Float64Array;
  /**
   * Mean squared distance of the mass to its centroids, in float64 from the differences: an upper bound on the squared W2 of the codebook to the
   * samples, and that distance itself once converged.
   */
  readonly cost: number;
  readonly starts: readonly BalancedStatistics[];
  readonly best: number;
}

/**
 * The balanced quantizer: k points of equal weight nearest to the samples in W2, a Wasserstein barycenter on k points. Exact transport
 * to the centroids and their move to the mean of their mass alternate until the plan stays.
 *
 * Cuturi and Doucet, "Fast computation of Wasserstein barycenters", ICML 2014, algorithm 2, with exact plans; Bennett, Bradley and Demiriz,
 * "Constrained k-means clustering", 2000.
 *
 * Costs come from exact dot products on the grid, so the bytes do not depend on the product. Where cells are too small for the grid, iterations
 * that measure all distances follow.
 *
 * @param points (n, d)
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite; CANCELLED
 */
export async function fitBalanced(
  points: Points,
  { starts, samples: kind = 'split', maxIterations = 100 }: BalancedOptions,
  context: BalancedContext,
): Promise<BalancedCodebook> {
  assertPoints(points, 'points');
  const k = starts[0]?.n ?? 0;
  if (k < 1 || k > points.n || starts.some((start) => start.n !== k))
    throw invalid(
      `expected starts of one number of centroids from 1 to ${points.n}, got ${starts.map((start) => start.n).join(', ') || 'none'}: ` +
        'quantize first',
    );
  for (const start of starts) {
    assertPoints(start, 'starts');
    assertSameDimensions(points, start);
  }
  const grid = rounded(points);
  const { product, signal } = context;
  const onGrid: Ground = { ...grid, costs: (centroids) => costsTo(grid, centroids, k, product, signal) };
  const asTheyAre: Ground = {
    ...points,
    scale: 1,
    costs: (centroids) => squaredDistances(points, centroids, k, signal),
  };
  const runs: Run[] = [];
  for (const [s, start] of starts.entries()) {
    const options = { index: s, kind, maxIterations };
    let run = await alternate(onGrid, placed(grid, start), k, options, context);
    if (isHiddenBy(grid, costOf(points, meansOf(points, run.plan, run.demands), run.plan)))
      run = await alternate(asTheyAre, meansOf(points, run.plan, run.demands), k, options, context);
    runs.push(run);
  }
  const ends = runs.map(({ plan, demands }) => meansOf(points, plan, demands));
  const costs = ends.map((centroids, s) => costOf(points, centroids, runs[s]!.plan));
  const best = costs.indexOf(Math.min(...costs));
  return {
    centroids: { values: Float32Array.from(ends[best]!), n: k, d: points.d },
    weights: runs[best]!.demands,
    cost: costs[best]!,
    starts: runs.map(({ statistics }) => statistics),
    best,
  };
}

type Plan = ReturnType<Transport>['plan'];

interface Run {
  readonly plan: Plan;
  readonly demands: Float64Array;
  readonly statistics: BalancedStatistics;
}

/** Where the iterations take place. */
interface Ground {
  /** (n, d) */
  readonly values: Float32Array;
  readonly n: number;
  readonly d: number;
  /** its units in one unit of the samples */
  readonly scale: number;
  /** (n, k): squared distances to centroids (k, d), in squared units of the ground */
  costs(centroids: Float64Array): Float64Array | Promise<Float64Array>;
}

/** @param centroids (k, d), where to start */
async function alternate(
  ground: Ground,
  centroids: Float64Array,
  k: number,
  { index, kind, maxIterations }: { index: number; kind: 'split' | 'whole'; maxIterations: number },
  { transport, signal, onIteration }: BalancedContext,
): Promise<Run> {
  const { n, scale } = ground;
  let demands: Float64Array | undefined;
  let prices: Float64Array | undefined;
  let best: Plan | undefined;
  const costs: number[] = [];
  let converged = false;
  while (costs.length < maxIterations && !converged) {
    throwIfAborted(signal);
    const cost = await ground.costs(centroids);
    demands ??= kind === 'split' ? new Float64Array(k).fill(1 / k) : wholeDemands(cost, n, k);
    const { value, plan, v } = transport(cost, { n, k }, demands, { prices, signal });
    prices = v;
    const before = costs.at(-1) ?? Infinity;
    converged = !(value < before * (1 - LEAST_GAIN));
    best = plan;
    centroids = meansOf(ground, plan, demands);
    costs.push(Math.min(value, before));
    await onIteration?.(index, costs.length, value / (scale * scale));
  }
  const toUnits = 1 / (scale * scale);
  return { plan: best!, demands: demands!, statistics: { costs: costs.map((cost) => cost * toUnits), converged } };
}

/** A plan that gains less is the same but for rounding. */
const LEAST_GAIN = 1e-10;

/** Centroids of the samples on their grid. */
function placed({ origin, scale, d }: Rounded, { values, n }: Points): Float64Array {
  const out = new Float64Array(n * d);
  for (let c = 0, p = 0; c < n; c++) for (let j = 0; j < d; j++, p++) out[p] = (values[p]! - origin[j]!) * scale;
  return out;
}

/** (n, k): squared distances on the grid, of centroids cut to a fraction of its unit. */
async function costsTo(
  grid: Rounded,
  centroids: Float64Array,
  k: number,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { n, d, norms } = grid;
  const cut = centroids.map((x) => Math.round(x / FINEST) * FINEST);
  const cost = await exactDots(grid, cut, k, product, { finest: FINEST, signal });
  const cutNorms = Float64Array.from({ length: k }, (_, c) => rowDot(cut, c, cut, c, d));
  for (let i = 0, p = 0; i < n; i++)
    for (let c = 0; c < k; c++, p++) cost[p] = Math.max(0, norms[i]! + cutNorms[c]! - 2 * cost[p]!);
  return cost;
}

const FINEST = 2 ** -8;

/** floor(n / k) samples each, and one more for those with most samples nearest to them. */
function wholeDemands(cost: Float64Array, n: number, k: number): Float64Array {
  const nearest = new Int32Array(k);
  for (let i = 0; i < n; i++) {
    let to = 0;
    for (let c = 1; c < k; c++) if (cost[i * k + c]! < cost[i * k + to]!) to = c;
    nearest[to]!++;
  }
  const fullest = Array.from(nearest.keys()).sort((a, b) => nearest[b]! - nearest[a]! || a - b);
  const more = new Set(fullest.slice(0, n % k));
  return Float64Array.from({ length: k }, (_, c) => (Math.floor(n / k) + Number(more.has(c))) / n);
}

/** (k, d): the mean of the mass of each sink, in float64. */
function meansOf(
  { values, d }: { values: Float32Array; d: number },
  { samples, sinks, mass }: Plan,
  demands: Float64Array,
): Float64Array {
  const means = new Float64Array(demands.length * d);
  mass.forEach((amount, e) => {
    const share = amount / demands[sinks[e]!]!;
    for (let p = samples[e]! * d, q = sinks[e]! * d, end = p + d; p < end; p++, q++) means[q]! += share * values[p]!;
  });
  return means;
}

function costOf({ values, d }: Points, centroids: Float64Array, { samples, sinks, mass }: Plan): number {
  let total = 0;
  mass.forEach((amount, e) => (total += amount * squaredDistance(values, samples[e]!, centroids, sinks[e]!, d)));
  return total;
}
