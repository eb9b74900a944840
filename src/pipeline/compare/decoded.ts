import { nearestDistances } from '../../numerics/diagnostics/nearest.ts';
import { type Points } from '../../numerics/math/points.ts';
import { type MatrixProduct } from '../../numerics/math/product.ts';
import { type RandomStream } from '../../numerics/math/random.ts';
import { chosenRows, rowsOf } from '../../numerics/math/rows.ts';
import { median } from '../../numerics/math/sum.ts';
import { assertFiniteLatents } from '../latents.ts';
import { type TensorData } from '../ports.ts';
import { type Prior } from '../prior/model.ts';

/**
 * The latents of decoded images, by the encoder that the real ones went through.
 *
 * @param images 8 bits, (k, height, width, channels)
 * @returns (k, d)
 * @throws NON_FINITE naming the image
 */
export async function reencoded(
  images: TensorData,
  prior: Prior,
  { className, batch }: { className: string; batch: number },
): Promise<Points> {
  const [k, ...imageShape] = images.shape as [number, ...number[]];
  const size = imageShape.reduce((a, b) => a * b, 1);
  const parts: Float32Array[] = [];
  for (let from = 0; from < k; from += batch) {
    const to = Math.min(k, from + batch);
    const latents = await prior.encode((images.data as Uint8Array).subarray(from * size, to * size));
    const d = latents.length / (to - from);
    assertFiniteLatents(latents, d, (row) => `synthetic image ${from + row} of class ${className}`);
    parts.push(latents);
  }
  const d = parts.reduce((sum, part) => sum + part.length, 0) / k;
  const values = new Float32Array(k * d);
  parts.reduce((at, part) => (values.set(part, at), at + part.length), 0);
  return { values, n: k, d };
}

/**
 * Whether images are remembered rather than made: how far the codes are from the nearest training latent, beside how far training latents
 * are from the nearest other one. Medians, in latent units. Centroids of CIFAR-10 and glyphs, which copy nothing, lie at 0.5 to 0.9 of that
 * (K = 10 and 50); a copy at the error of the autoencoder.
 *
 * @param codes (k, d)
 * @param training (n, d); at most `MOST_REAL` of them, chosen by `random`, are asked for their own neighbour
 */
export async function nearestTraining(
  codes: Points,
  training: Points,
  { product, random, signal }: { product: MatrixProduct; random: RandomStream; signal?: AbortSignal },
): Promise<Record<string, number>> {
  const nearestDecoded = median(await nearestDistances(codes, training, { product, signal }));
  if (training.n < 2) return { nearestDecoded };
  const except = chosenRows(training.n, MOST_REAL, random);
  const nearestReal = median(await nearestDistances(rowsOf(training, except), training, { product, except, signal }));
  return {
    nearestDecoded,
    nearestReal,
    ...(nearestReal > 0 && { nearestRatio: nearestDecoded / nearestReal }),
  };
}

const MOST_REAL = 2000;
