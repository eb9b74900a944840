import { type Value } from '../../numerics/graph/graph.ts';
import { graphFile } from './graph-file.ts';

/** The ONNX graph of one matrix product, with every dimension open. */
export function productGraph(transposeB: boolean): Uint8Array {
  const matrix = (name: string, shape: string[]) => ({ name, type: 'float32' as const, shape });
  // The file names a node's tensors and tells the shapes of the graph's alone.
  const named = (name: string): Value => ({ name, type: 'float32', shape: [] });
  return graphFile(
    {
      inputs: [matrix('a', ['m', 'k']), matrix('b', transposeB ? ['n', 'k'] : ['k', 'n'])],
      outputs: [matrix('product', ['m', 'n'])],
      nodes: [
        {
          name: 'product',
          op: transposeB ? 'Gemm' : 'MatMul',
          inputs: [named('a'), named('b')],
          outputs: [named('product')],
          attributes: transposeB ? { transB: 1 } : {},
        },
      ],
      constants: [],
    },
    17,
  );
}
