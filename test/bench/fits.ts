import { type Points } from '../../src/numerics/math/points.ts';
import { type MatrixProduct } from '../../src/numerics/math/product.ts';
import { fitBalanced } from '../../src/numerics/quantize/balanced.ts';
import { fitQuantizer } from '../../src/numerics/quantize/quantize.ts';
import { exactTransport } from '../../src/numerics/transport/transport.ts';

/** Our quantizer and the balanced one, each started from the other's centroids too: so neither is worse for a bad start. */
export async function weightedAndBalanced(
  points: Points,
  k: number,
  key: { seed: number; classIndex: number },
  product: MatrixProduct,
) {
  const first = await fitQuantizer(points, { k, ...key }, { product });
  const balanced = await fitBalanced(points, { starts: [first.centroids] }, { product, transport: exactTransport });
  const fit = await fitQuantizer(points, { k, ...key, starts: [balanced.centroids] }, { product });
  return { fit, balanced };
}
