import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { type MatrixProduct } from '../../numerics/math/product.ts';

/**
 * The product on a runtime. Rows go in blocks, since a session holds the event loop while it runs: between blocks
 * heartbeats are sent and an abort is seen. On the cpu provider the blocks do not change the bytes of the result.
 * @param sessionFor a session of the graph of product-graph.ts
 */
export function createProduct(sessionFor: (transposeB: boolean) => Promise<InferenceSession>): MatrixProduct {
  return async (a, b, { m, k, n, transposeB = false }, signal) => {
    if (a.length !== m * k || b.length !== k * n) {
      throw invalid(
        `expected a of (${m}, ${k}) and b of (${k}, ${n}) values, got ${a.length} and ${b.length}: correct the shape`,
      );
    }
    const product = new Float32Array(m * n);
    if (product.length === 0 || k === 0) return product;
    const session = await sessionFor(transposeB);
    const right = new Tensor('float32', b, transposeB ? [n, k] : [k, n]);
    const rows = rowsPerBlock(k, n);
    for (let from = 0; from < m; from += rows) {
      throwIfAborted(signal);
      const to = Math.min(m, from + rows);
      const left = new Tensor('float32', a.subarray(from * k, to * k), [to - from, k]);
      const into = new Tensor('float32', product.subarray(from * n, to * n), [to - from, n]);
      await session.run({ a: left, b: right }, { product: into });
    }
    return product;
  };
}

/**
 * About 2^32 multiplications a block, which is 30 ms at 280 GFLOP/s; never fewer than 512 rows, because b is packed anew
 * for every block.
 */
function rowsPerBlock(k: number, n: number): number {
  return Math.max(512, Math.floor(2 ** 32 / (k * n)));
}
