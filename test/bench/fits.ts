import { type Points } from '../../src/numerics/math/points.ts';
import { type MatrixProduct } from '../../src/numerics/math/product.ts';
import { fitQuantizer } from '../../src/numerics/quantize/quantize.ts';
import { balancedBaseline } from '../../src/pipeline/compare/baselines.ts';

/** Our quantizer and the balanced one, each started from the other's centroids too: so neither is worse for a bad start. */
export async function weightedAndBalanced(
  points: Points,
  k: number,
  key: { seed: number; classIndex: number },
  product: MatrixProduct,
) {
  const first = await fitQuantizer(points, { k, ...key }, { product });
  const balanced = await balancedBaseline(points, first.centroids, { product });
  const fit = await fitQuantizer(points, { k, ...key, starts: [balanced.centroids] }, { product });
  return { fit, balanced };
}
