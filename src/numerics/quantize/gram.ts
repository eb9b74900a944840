import { throwIfAborted } from '../../base/abort.ts';
import { type MatrixProduct } from '../math/product.ts';
import { transfer } from './direct.ts';
import { assertExact, type Rounded } from './rounded.ts';
import { proposed, type CellMeans, type Rule, type Space, type Sums } from './space.ts';

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
      const out = new Float32Array(some.length * n);
      some.forEach((i, row) => out.set(gram.subarray(i * n, (i + 1) * n), row * n));
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
  return { dot: (i, c) => sums[c * n + i]!, between, move, propose };

  function between(a: number, b: number): number {
    let total = 0;
    for (let i = 0, p = a * n; i < n; i++, p++) if (assignment[i] === b) total += sums[p]!;
    return total;
  }

  function move(i: number, from: number, to: number): void {
    transfer(gram.subarray(i * n, (i + 1) * n), sums, from * n, to * n);
  }

  function propose(cells: CellMeans, rule: Rule, proposals: Int32Array, signal?: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    return Promise.resolve(proposed(sums, norms, cells, rule, proposals));
  }
}
