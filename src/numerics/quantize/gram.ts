import { throwIfAborted } from '../../base/abort.ts';
import { type MatrixProduct } from '../math/product.ts';
import { assertExact, type Rounded } from './rounded.ts';
import { squaredDistanceToMean, type CellMeans, type Rule, type Space, type Sums } from './space.ts';

/**
 * Samples by their Gram matrix: for n below d, where distances live in n dimensions. The sum of a cell is known by its products with the samples,
 * S[c, i] = T[c] . x[i]: a pass over all samples costs n k, a moved sample 2 n.
 *
 * @throws NON_FINITE if the product does not multiply in float32
 */
export async function gramSpace(samples: Rounded, product: MatrixProduct, signal?: AbortSignal): Promise<Space> {
  const { n, norms } = samples;
  const gram = await gramMatrix(samples, product, signal);
  return {
    n,
    norms,
    dotsWith: (some) => {
      const t = some.length;
      const out = new Float32Array(n * t);
      for (let c = 0; c < t; c++) for (let i = 0, p = some[c]! * n; i < n; i++, p++) out[i * t + c] = gram[p]!;
      return Promise.resolve(out);
    },
    sums: (assignment, k) => gramSums(gram, norms, assignment, k),
  };
}

/** (n, n), whole numbers: the product of the blocks on and above the diagonal, mirrored. */
async function gramMatrix(
  { values, n, d, norms }: Rounded,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const gram = new Float32Array(n * n);
  const rows = Math.ceil(n / BLOCKS);
  for (let from = 0; from < n; from += rows) {
    const to = Math.min(n, from + rows);
    const columns = n - from;
    const shape = { m: to - from, k: d, n: columns, transposeB: true };
    const block = await product(values.subarray(from * d, to * d), values.subarray(from * d), shape, signal);
    for (let i = from; i < to; i++)
      gram.set(block.subarray((i - from) * columns, (i - from + 1) * columns), i * n + from);
  }
  for (let i = 0; i < n; i++) assertExact(gram[i * n + i]!, norms, i);
  mirror(gram, n);
  return gram;
}

/** Six tenths of the whole product; each block packs what lies right of it anew. */
const BLOCKS = 5;

/** In tiles, since one of the two sides is walked by columns. */
function mirror(gram: Float32Array, n: number): void {
  const tile = 32;
  for (let top = 0; top < n; top += tile)
    for (let left = 0; left <= top; left += tile)
      for (let i = top; i < Math.min(n, top + tile); i++)
        for (let j = left, end = Math.min(i, left + tile); j < end; j++) gram[i * n + j] = gram[j * n + i]!;
}

function gramSums(gram: Float32Array, norms: Float64Array, assignment: Int32Array, k: number): Sums {
  const n = norms.length;
  const sums = new Float64Array(k * n);
  for (let i = 0; i < n; i++) {
    const g = i * n;
    const s = assignment[i]! * n;
    for (let j = 0; j < n; j++) sums[s + j]! += gram[g + j]!;
  }
  const best = new Float64Array(n);
  return { dot: (i, c) => sums[c * n + i]!, between, move, propose };

  function between(a: number, b: number): number {
    let total = 0;
    for (let i = 0, p = a * n; i < n; i++, p++) if (assignment[i] === b) total += sums[p]!;
    return total;
  }

  function move(i: number, from: number, to: number): void {
    const g = i * n;
    const a = from * n;
    const b = to * n;
    for (let j = 0; j < n; j++) {
      const x = gram[g + j]!;
      sums[a + j]! -= x;
      sums[b + j]! += x;
    }
  }

  function propose(
    { counts, squaredSums }: CellMeans,
    { joining, leaving }: Rule,
    proposals: Int32Array,
    signal?: AbortSignal,
  ): Promise<number> {
    throwIfAborted(signal);
    for (let i = 0; i < n; i++) {
      const c = assignment[i]!;
      best[i] =
        leaving[c] === 0
          ? 0
          : leaving[c]! * squaredDistanceToMean(norms[i]!, sums[c * n + i]!, squaredSums[c]!, counts[c]!);
    }
    proposals.fill(-1);
    for (let c = 0; c < k; c++) {
      const factor = joining[c]!;
      const count = counts[c]!;
      const squaredSum = squaredSums[c]!;
      for (let i = 0, p = c * n; i < n; i++, p++) {
        const value = factor === 0 ? 0 : factor * squaredDistanceToMean(norms[i]!, sums[p]!, squaredSum, count);
        if (value < best[i]! && assignment[i] !== c) {
          best[i] = value;
          proposals[i] = c;
        }
      }
    }
    let proposed = 0;
    for (let i = 0; i < n; i++) if (proposals[i]! >= 0) proposed++;
    return Promise.resolve(proposed);
  }
}
