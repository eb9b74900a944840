import { throwIfAborted } from '../../base/abort.ts';
import { type MatrixProduct } from '../math/product.ts';
import { startBounds, type Distance } from './bounds.ts';
import { assertExact, type Rounded } from './rounded.ts';
import { squaredDistanceToMean, type CellMeans, type Rule, type Space, type Sums } from './space.ts';

/**
 * Samples by their coordinates: for n above d. A sum of a cell has d coordinates, a moved sample costs 4 d additions and a pass over all samples one
 * product of n d k, or less: Hamerly's bounds leave out samples that surely have no better cell.
 */
export function directSpace(samples: Rounded, product: MatrixProduct): Space {
  const { n, norms } = samples;
  return {
    n,
    norms,
    dotsWith: (some, signal) => dotsWith(samples, some, product, signal),
    sums: (assignment, k) => directSums(samples, assignment, k, product),
  };
}

async function dotsWith(
  { values, n, d, norms }: Rounded,
  some: readonly number[],
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const t = some.length;
  const right = new Float32Array(t * d);
  some.forEach((i, row) => right.set(values.subarray(i * d, (i + 1) * d), row * d));
  const dots = await product(values, right, { m: n, k: d, n: t, transposeB: true }, signal);
  some.forEach((i, row) => assertExact(dots[i * t + row]!, norms, i));
  return dots;
}

/** The dot product of two rows in float64: exact for whole numbers as long as it is below 2^53. */
function rowDot(
  a: Float32Array | Float64Array,
  i: number,
  b: Float32Array | Float64Array,
  k: number,
  d: number,
): number {
  let p = i * d;
  let q = k * d;
  const end = p + d;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (; p + 3 < end; p += 4, q += 4) {
    s0 += a[p]! * b[q]!;
    s1 += a[p + 1]! * b[q + 1]!;
    s2 += a[p + 2]! * b[q + 2]!;
    s3 += a[p + 3]! * b[q + 3]!;
  }
  for (; p < end; p++, q++) s0 += a[p]! * b[q]!;
  return s0 + s1 + (s2 + s3);
}

function directSums(samples: Rounded, assignment: Int32Array, k: number, product: MatrixProduct): Sums {
  const { values, n, d, norms } = samples;
  const sums = new Float64Array(k * d);
  for (let i = 0; i < n; i++) {
    const c = assignment[i]!;
    for (let p = i * d, q = c * d, end = p + d; p < end; p++, q++) sums[q]! += values[p]!;
  }
  const means = new Float64Array(k * d);
  const bounds = startBounds(n, k);
  return {
    dot: (i, c) => rowDot(values, i, sums, c, d),
    between: (a, b) => rowDot(sums, a, sums, b, d),
    move,
    propose,
  };

  function move(i: number, from: number, to: number): void {
    for (let p = i * d, a = from * d, b = to * d, end = p + d; p < end; p++, a++, b++) {
      const x = values[p]!;
      sums[a]! -= x;
      sums[b]! += x;
    }
  }

  async function propose(cells: CellMeans, rule: Rule, proposals: Int32Array, signal?: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    const { counts, squaredSums } = cells;
    const distance: Distance = (i, c) =>
      squaredDistanceToMean(norms[i]!, rowDot(values, i, sums, c, d), squaredSums[c]!, counts[c]!);
    bounds.meansMoved(moveMeans(counts), rule);
    proposals.fill(-1);
    const { rows, pairs } = bounds.doubtful(assignment, rule, distance);
    if (rows.length === 0) return 0;
    if (pairs * PRODUCT_GAIN > rows.length * k) await boundByProduct(rows, cells, signal);
    let proposed = 0;
    for (const i of rows) {
      const to = bounds.decide(i, assignment[i]!, rule, distance);
      if (to === assignment[i]) continue;
      proposals[i] = to;
      proposed++;
    }
    return proposed;
  }

  /** All distances of these samples by one product: where many are in doubt, it leaves few. */
  async function boundByProduct(rows: Int32Array, { counts, squaredSums }: CellMeans, signal?: AbortSignal) {
    const meanNorms = squaredSums.map((squared, c) => (counts[c]! > 0 ? squared / counts[c]! / counts[c]! : Infinity));
    const longest = Math.sqrt(meanNorms.reduce((most, norm) => (norm < Infinity && norm > most ? norm : most), 0));
    const whole = rows.length > GATHER_BELOW * n;
    const left = whole ? values : gathered(rows);
    const m = whole ? n : rows.length;
    const dots = await product(left, Float32Array.from(means), { m, k: d, n: k, transposeB: true }, signal);
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r]!;
      const error = 2 * (d + 4) * 2 ** -24 * Math.sqrt(norms[i]!) * longest;
      bounds.bound(i, norms[i]! - error, dots, (whole ? i : r) * k, meanNorms);
    }
  }

  /** Takes the means of the cells as they are now. @returns (k,): how far each has gone; Infinity where a cell was empty */
  function moveMeans(counts: Int32Array): Float64Array {
    const steps = new Float64Array(k);
    for (let c = 0; c < k; c++) {
      const count = counts[c]!;
      if (count === 0) continue;
      let squared = 0;
      for (let p = c * d, end = p + d; p < end; p++) {
        const mean = sums[p]! / count;
        const step = mean - means[p]!;
        squared += step * step;
        means[p] = mean;
      }
      steps[c] = Math.sqrt(squared);
    }
    return steps;
  }

  function gathered(rows: Int32Array): Float32Array {
    const out = new Float32Array(rows.length * d);
    for (let r = 0; r < rows.length; r++) out.set(values.subarray(rows[r]! * d, (rows[r]! + 1) * d), r * d);
    return out;
  }
}

/** Above this share of samples all are multiplied: copying one costs about as much as multiplying it with few means. */
const GATHER_BELOW = 0.7;

/** A distance within a product costs this much less than one by itself: 60 against 3 GFLOP/s. */
const PRODUCT_GAIN = 12;
