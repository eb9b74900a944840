import { trainingWeights } from '../../numerics/quantize/weights.ts';
import { readTensors } from '../latents.ts';
import { classShares } from '../points.ts';
import { type ObjectStore, type Pixels, type ImageCodec } from '../ports.ts';

/** The artifacts of one class that a synthetic dataset is put together from. */
export interface ClassArtifacts {
  className: string;
  codebook: string;
  images: string;
  softLabels: string | null;
  /** Its comparison, whose refitted weights the points get in place of the codebook's; null: they keep these. */
  refit: string | null;
}

/** One class of the synthetic dataset, points in the order of its codebook. */
export interface SyntheticClass {
  className: string;
  /** Lossless PNG per point. */
  pngs: Uint8Array[];
  /** (k,) Voronoi masses, or those refitted on the images; sum 1. */
  masses: Float64Array;
  /** (k,) samples per cell. */
  counts: Int32Array;
  /** k rows of c probabilities, or null. */
  softLabels: number[][] | null;
}

export async function readSyntheticClass(
  of: ClassArtifacts,
  { store, projectId, codec }: { store: ObjectStore; projectId: string; codec: ImageCodec },
): Promise<SyntheticClass> {
  const { weights, counts } = await readTensors(store, projectId, of.codebook, 'codebook.safetensors');
  const masses = of.refit
    ? (await readTensors(store, projectId, of.refit, 'comparison.safetensors'))['refitWeights']
    : weights;
  const { images } = await readTensors(store, projectId, of.images, 'images.safetensors');
  const soft = of.softLabels
    ? (await readTensors(store, projectId, of.softLabels, 'labels.safetensors'))['softLabels']!
    : null;
  const [k, height, width, channels] = images!.shape as [number, number, number, 1 | 3];
  const size = height * width * channels;
  const pngs: Uint8Array[] = [];
  for (let i = 0; i < k; i++) {
    const pixels: Pixels = {
      data: (images!.data as Uint8Array).slice(i * size, (i + 1) * size),
      width,
      height,
      channels,
    };
    pngs.push(await codec.encodePng(pixels));
  }
  const c = soft?.shape[1] ?? 0;
  return {
    className: of.className,
    pngs,
    masses: masses!.data as Float64Array,
    counts: counts!.data as Int32Array,
    softLabels: soft
      ? Array.from({ length: k }, (_, i) => Array.from((soft.data as Float32Array).subarray(i * c, (i + 1) * c)))
      : null,
  };
}

/**
 * Training weights of every class, mean 1 over all points (METHOD: the family with exponent a).
 * @returns one (k,) per class
 */
export function weightsOf(
  classes: readonly SyntheticClass[],
  { exponent, classShares: kind }: { exponent: number; classShares: 'DATA' | 'UNIFORM' },
): Float64Array[] {
  const images = classes.map((entry) => entry.counts.reduce((sum, count) => sum + count, 0));
  return trainingWeights(
    classes.map((entry) => entry.masses),
    { exponent, classShares: classShares(images, kind) },
  );
}
