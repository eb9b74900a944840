import { throwIfAborted } from '../../base/abort.ts';
import { type MatrixProduct } from '../math/product.ts';
import { exactDots } from './pieces.ts';
import { assertExact, type Rounded } from './rounded.ts';
import { proposed, type CellMeans, type Rule, type Space, type Sums } from './space.ts';

/**
 * Samples by their coordinates: for n above d. The sums of cells are kept as coordinates too, and their dot products with the samples are
 * brought up to date before each pass, by whatever is less: a product of all sums with all samples, or of the few samples that have moved.
 */
export function directSpace(samples: Rounded, product: MatrixProduct): Space {
  const { n, norms } = samples;
  const dots = keptDots(samples, product);
  return {
    n,
    norms,
    dotsWith: (some, signal) => dotsWith(samples, some, product, signal),
    sums: (assignment, k) => directSums(samples, assignment, k, product, dots),
  };
}

/** (t, n), exact. */
async function dotsWith(
  { values, n, d, norms }: Rounded,
  some: readonly number[],
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const left = new Float32Array(some.length * d);
  some.forEach((i, row) => left.set(values.subarray(i * d, (i + 1) * d), row * d));
  const dots = await product(left, values, { m: some.length, k: d, n, transposeB: true }, signal);
  some.forEach((i, row) => assertExact(dots[row * n + i]!, norms, i));
  return dots;
}

/** Dot products of single samples with all: near the end of a search the same few samples move to and fro. */
interface KeptDots {
  missing(some: Iterable<number>): number[];
  /** @returns (n,) */
  of(i: number): Float32Array;
  fetch(missing: readonly number[], signal?: AbortSignal): Promise<void>;
}

function keptDots(samples: Rounded, product: MatrixProduct): KeptDots {
  const { n } = samples;
  const most = Math.floor(KEPT_VALUES / n);
  const rows = new Map<number, Float32Array>();
  return {
    missing: (some) => [...new Set(some)].filter((i) => !rows.has(i)),
    of: (i) => rows.get(i)!,
    async fetch(missing, signal) {
      if (rows.size + missing.length > most) rows.clear();
      const dots = await dotsWith(samples, missing, product, signal);
      missing.forEach((i, row) => rows.set(i, dots.subarray(row * n, (row + 1) * n)));
    },
  };
}

/** 256 MiB. */
const KEPT_VALUES = 2 ** 26;

function directSums(samples: Rounded, assignment: Int32Array, k: number, product: MatrixProduct, kept: KeptDots): Sums {
  const { values, n, d } = samples;
  const sums = new Float64Array(k * d);
  for (let i = 0; i < n; i++)
    for (let p = i * d, q = assignment[i]! * d, end = p + d; p < end; p++, q++) sums[q]! += values[p]!;
  /** (k, n), as of the last pass */
  let dots = new Float64Array();
  const moves: { i: number; from: number; to: number }[] = [];
  let known = false;
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
    moves.push({ i, from, to });
  }

  async function propose(cells: CellMeans, rule: Rule, proposals: Int32Array, signal?: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    await update(signal);
    return proposed(dots, samples.norms, cells, rule, proposals);
  }

  /** Brings the dot products up to date. */
  async function update(signal?: AbortSignal): Promise<void> {
    const missing = known ? kept.missing(moves.map(({ i }) => i)) : [];
    const each = (missing.length * d + SCALAR * 2 * moves.length) * n;
    const all = 2 * k * (d + SCALAR) * n;
    if (known && each < all && moves.length <= KEPT_VALUES / n) {
      if (missing.length > 0) await kept.fetch(kept.missing(moves.map(({ i }) => i)), signal);
      for (const { i, from, to } of moves) transfer(kept.of(i), dots, from * n, to * n);
    } else dots = await exactDots(samples, sums, k, product, { finest: 1, signal });
    moves.length = 0;
    known = true;
  }
}

/** A multiplication in a loop costs as much as so many within a product: 1 against 40 in a nanosecond. */
const SCALAR = 40;

/** The products of a sample with all leave one sum and join another. */
export function transfer(row: Float32Array, dots: Float64Array, from: number, to: number): void {
  for (let j = 0; j < row.length; j++) {
    const x = row[j]!;
    dots[from + j]! -= x;
    dots[to + j]! += x;
  }
}

/** The dot product of two rows in float64: exact for whole numbers as long as it is below 2^53. */
function rowDot(a: Float32Array | Float64Array, i: number, b: Float64Array, k: number, d: number): number {
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
