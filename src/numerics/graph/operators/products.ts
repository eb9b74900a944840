import { floatOf, inputOf, intOf, refused } from '../attributes.ts';
import { matMul, mul, scalar, sumTo, swapLast } from '../functions.ts';
import { shapeText, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';

/** c = a b: by a it is dc b', by b it is a' dc, summed over what the batch axes repeated. */
const matMulOperator: Operator = {
  infer(call) {
    const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
    const [m, k] = a.shape.slice(-2);
    const [rows, n] = b.shape.slice(-2);
    if (a.shape.length < 2 || b.shape.length < 2 || k !== rows)
      throw refused(
        call,
        'matrices (.., m, k) and (.., k, n)',
        `${shapeText(a.shape)} and ${shapeText(b.shape)}`,
        'reshape them',
      );
    const rank = Math.max(a.shape.length, b.shape.length) - 2;
    const batch = Array.from({ length: rank }, (_, axis) => {
      const of = ({ shape }: Value) => shape.slice(0, -2)[axis - rank + shape.length - 2] ?? 1;
      if (of(a) !== of(b) && of(a) !== 1 && of(b) !== 1)
        throw refused(call, 'batches that broadcast', `${shapeText(a.shape)} and ${shapeText(b.shape)}`, 'reshape one');
      return Math.max(of(a), of(b));
    });
    return [{ type: a.type, shape: [...batch, m!, n!] }];
  },
  gradient(g, call, [upstream]) {
    const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
    return [
      sumTo(g, matMul(g, upstream!, swapLast(g, b)), a.shape),
      sumTo(g, matMul(g, swapLast(g, a), upstream!), b.shape),
    ];
  },
};

/** y = alpha A B + beta c, A and B transposed or not: dA = alpha dy B', dB = alpha A' dy, dc = beta dy. */
const gemm: Operator = {
  infer(call) {
    const [m, k] = matrix(call, 0, 'transA');
    const [rows, n] = matrix(call, 1, 'transB');
    if (k !== rows) throw refused(call, `${k} rows of the second matrix`, String(rows), 'transpose one of them');
    return [{ type: inputOf(call, 0).type, shape: [m, n] }];
  },
  gradient(g, call, [upstream]) {
    const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
    const { attributes } = call;
    const scaled = (value: Value, name: string) => {
      const factor = floatOf(attributes, name, 1);
      return factor === 1 ? value : mul(g, value, scalar(g, factor));
    };
    const dy = scaled(upstream!, 'alpha');
    const [tA, tB] = [intOf(attributes, 'transA', 0), intOf(attributes, 'transB', 0)];
    const c = call.inputs[2];
    return [
      tA ? product(g, b, tB, dy, 1) : product(g, dy, 0, b, 1 - tB),
      tB ? product(g, dy, 1, a, tA) : product(g, a, 1 - tA, dy, 0),
      c ? sumTo(g, scaled(upstream!, 'beta'), c.shape) : null,
    ];
  },
};

const product = (g: Builder, a: Value, transA: number, b: Value, transB: number): Value =>
  g.node('Gemm', [a, b], { transA, transB })[0]!;

function matrix(call: Call, index: number, transposed: string): [number, number] {
  const { shape } = inputOf(call, index);
  if (shape.length !== 2) throw refused(call, `a matrix as input ${index}`, shapeText(shape), 'flatten it');
  const [rows, columns] = shape as [number, number];
  return intOf(call.attributes, transposed, 0) ? [columns, rows] : [rows, columns];
}

export const PRODUCTS: Operators = { MatMul: matMulOperator, Gemm: gemm };
