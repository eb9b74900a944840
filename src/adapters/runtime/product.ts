import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { type MatrixProduct } from '../../numerics/math/product.ts';

/** Gives a session of the graph of product-graph.ts. */
export type ProductSessions = (transposeB: boolean, threads: number) => Promise<InferenceSession>;

/**
 * The product on a runtime. Rows go in blocks, since a session holds the event loop while it runs: between blocks
 * heartbeats are sent and an abort is seen.
 *
 * On the cpu provider a row's bytes depend on neither m nor the number of threads. Left alone they would (onnxruntime
 * 1.30 with AVX-512): one row or one column takes another kernel, and when there are fewer rows than columns the columns
 * are split over the threads, which changes how k is cut into blocks. So one column goes as a transposed row, and `rowsFor`
 * adds rows of zeros until the split is by rows, or one thread does it all.
 */
export function createProduct(sessions: ProductSessions, threads: number): MatrixProduct {
  return async (a, b, { m, k, n, transposeB = false }, signal, out) => {
    if (a.length !== m * k || b.length !== k * n) {
      throw invalid(
        `expected a of (${m}, ${k}) and b of (${k}, ${n}) values, got ${a.length} and ${b.length}: correct the shape`,
      );
    }
    const product = out ?? new Float32Array(m * n);
    if (product.length === 0 || k === 0) return product.fill(0);
    const transposed = transposeB || n === 1;
    const right = new Tensor('float32', b, transposed ? [n, k] : [k, n]);
    const block = rowsPerBlock(k, n);
    for (let from = 0; from < m; from += block) {
      throwIfAborted(signal);
      const to = Math.min(m, from + block);
      const plan = rowsFor(to - from, n, threads);
      const session = await sessions(transposed, plan.threads);
      const left = new Tensor('float32', padded(a.subarray(from * k, to * k), plan.rows * k), [plan.rows, k]);
      const rows = product.subarray(from * n, to * n);
      const into = plan.rows === to - from ? rows : new Float32Array(plan.rows * n);
      await session.run({ a: left, b: right }, { product: new Tensor('float32', into, [plan.rows, n]) });
      if (into !== rows) rows.set(into.subarray(0, rows.length));
    }
    return product;
  };
}

/** A range of columns this wide is cut along k like the whole. */
const COLUMNS_PER_THREAD = 256;

/** How many rows are multiplied, by how many threads, such that no row can tell. */
function rowsFor(m: number, n: number, threads: number): { rows: number; threads: number } {
  if (threads === 1) return { rows: Math.max(m, 2), threads };
  const enough = Math.max(m, 2 * threads);
  if (enough >= n || n >= COLUMNS_PER_THREAD * threads) return { rows: enough, threads };
  // Fewer rows than columns, and few columns: n rows on all threads, or these on one, whichever is less work.
  return n < m * threads ? { rows: n, threads } : { rows: Math.max(m, 2), threads: 1 };
}

function padded(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const longer = new Float32Array(length);
  longer.set(values);
  return longer;
}

/**
 * About 2^32 multiplications a block, which is 30 ms at 280 GFLOP/s; never fewer than 512 rows, because b is packed anew
 * for every block.
 */
function rowsPerBlock(k: number, n: number): number {
  return Math.max(512, Math.floor(2 ** 32 / (k * n)));
}
