import { PushforwardError } from '../base/errors.ts';
import { type Points } from '../numerics/math/points.ts';
import { getBlob, readManifest } from './artifacts.ts';
import { readSafetensors } from './formats/safetensors.ts';
import { type ObjectStore, type TensorData } from './ports.ts';

/** Latents of images, or a codebook's points: flat (n, d) beside the shape (channels, height, width) that d flattens. */
export interface Latents {
  points: Points;
  shape: number[];
}

/** Latents of some images of a class, with the digest of each stored image. */
export interface EncodedImages extends Latents {
  /** (n, 32) sha256 */
  digests: Uint8Array;
}

/** Reads the latents that an encode task published. */
async function readEncoded(store: ObjectStore, projectId: string, artifactId: string): Promise<EncodedImages> {
  const { latents, digests } = await readTensors(store, projectId, artifactId, 'latents.safetensors');
  return { ...asLatents(latents, `latents of artifact ${artifactId}`), digests: digests!.data as Uint8Array };
}

/** Reads what the encode tasks of one class published, in the order of the dataset version. */
export async function readClass(
  store: ObjectStore,
  projectId: string,
  artifactIds: readonly string[],
): Promise<EncodedImages> {
  return inDatasetOrder(await Promise.all(artifactIds.map((id) => readEncoded(store, projectId, id))));
}

/** Reads one safetensors blob of an artifact. */
export async function readTensors(
  store: ObjectStore,
  projectId: string,
  artifactId: string,
  blob: string,
): Promise<Record<string, TensorData>> {
  const manifest = await readManifest(store, projectId, artifactId);
  const reference = manifest.blobs[blob];
  if (!reference) {
    throw new PushforwardError(
      'CORRUPT_ARTIFACT',
      `expected artifact ${artifactId} to have a blob ${blob}, got ${Object.keys(manifest.blobs).join(', ')}: ` +
        'delete its manifest and launch the run again',
    );
  }
  return readSafetensors(await getBlob(store, projectId, reference)).tensors;
}

/** @param tensor float32 (n, channels, height, width) */
export function asLatents(tensor: TensorData | undefined, what: string): Latents {
  if (tensor?.type !== 'float32' || tensor.shape.length !== 4) {
    throw new PushforwardError(
      'CORRUPT_ARTIFACT',
      `expected ${what} to be float32 of shape (n, channels, height, width), got ${tensor?.type} of shape (${tensor?.shape.join(', ')})`,
    );
  }
  const [n, ...shape] = tensor.shape as [number, ...number[]];
  return { points: { values: tensor.data, n, d: shape.reduce((a, b) => a * b, 1) }, shape };
}

/**
 * Refuses what an encoder made of images if it is not finite.
 *
 * @param values (b, d)
 * @param nameOf what a person calls the image of a row
 * @throws NON_FINITE
 */
export function assertFiniteLatents(values: Float32Array, d: number, nameOf: (row: number) => string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const image = nameOf(Math.floor(bad / d));
  throw new PushforwardError(
    'NON_FINITE',
    `expected finite latents, got ${values[bad]} for ${image}: ` +
      'run `pushforward prior validate` on the prior; its encoder overflows on this image',
    { image },
  );
}

/**
 * The parts of one class as one, in the order of the dataset version: by sha256 of the stored image. However a version
 * was cut into chunks, its samples have the same order.
 */
function inDatasetOrder(parts: readonly EncodedImages[]): EncodedImages {
  const { points, shape } = parts[0]!;
  const d = points.d;
  const rows = parts.flatMap((part) => {
    if (part.points.d !== d) {
      throw new PushforwardError(
        'CORRUPT_ARTIFACT',
        `expected latents of ${d} dimensions, got ${part.points.d}: these chunks were encoded with different priors`,
      );
    }
    return Array.from({ length: part.points.n }, (_, row) => ({
      digest: part.digests.subarray(row * 32, (row + 1) * 32),
      latent: part.points.values.subarray(row * d, (row + 1) * d),
    }));
  });
  rows.sort((a, b) => Buffer.compare(a.digest, b.digest));
  const values = new Float32Array(rows.length * d);
  const digests = new Uint8Array(rows.length * 32);
  rows.forEach(({ digest, latent }, i) => {
    values.set(latent, i * d);
    digests.set(digest, i * 32);
  });
  return { points: { values, n: rows.length, d }, shape, digests };
}
