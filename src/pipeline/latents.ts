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
export async function readEncoded(store: ObjectStore, projectId: string, artifactId: string): Promise<EncodedImages> {
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
  const { d } = points;
  for (const part of parts) assertSameLength(part.points.d, d);
  const order = datasetOrder(parts.map((part) => part.digests));
  const n = order.part.length;
  const values = new Float32Array(n * d);
  const digests = new Uint8Array(n * 32);
  for (let i = 0; i < n; i++) {
    const part = parts[order.part[i]!]!;
    const row = order.row[i]!;
    values.set(part.points.values.subarray(row * d, (row + 1) * d), i * d);
    digests.set(part.digests.subarray(row * 32, (row + 1) * 32), i * 32);
  }
  return { points: { values, n, d }, shape, digests };
}

/**
 * Where the samples of a class lie, in the order of the dataset version.
 * @param digests (n_part, 32) of each part
 * @returns (n,) each: the part of a sample, and its row there
 */
export function datasetOrder(digests: readonly Uint8Array[]): { part: Int32Array; row: Int32Array } {
  const all = Buffer.concat(digests);
  const n = all.length / 32;
  const parts = new Int32Array(n);
  const rows = new Int32Array(n);
  let at = 0;
  digests.forEach((some, part) => {
    for (let row = 0; row < some.length / 32; row++, at++) {
      parts[at] = part;
      rows[at] = row;
    }
  });
  // Six bytes tell nearly all of them apart; numbers sort faster than bytes.
  const keys = Float64Array.from(parts, (_, i) => all.readUIntBE(32 * i, 6));
  const order = Int32Array.from(keys.keys()).sort(
    (a, b) => keys[a]! - keys[b]! || all.compare(all, 32 * b, 32 * (b + 1), 32 * a, 32 * (a + 1)) || a - b,
  );
  return { part: order.map((i) => parts[i]!), row: order.map((i) => rows[i]!) };
}

/** Bytes of a digest that a codebook keeps of each image: enough to know it again among billions. */
export const SHORT_DIGEST = 8;

/** @param digests (n, 32) @returns (n, SHORT_DIGEST) */
export function shortDigests(digests: Uint8Array): Uint8Array {
  const n = digests.length / 32;
  const short = new Uint8Array(SHORT_DIGEST * n);
  for (let i = 0; i < n; i++) short.set(digests.subarray(32 * i, 32 * i + SHORT_DIGEST), SHORT_DIGEST * i);
  return short;
}

/** @throws CORRUPT_ARTIFACT */
export function assertSameLength(d: number, expected: number): void {
  if (d === expected) return;
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected latents of ${expected} dimensions, got ${d}: these chunks were encoded with different priors`,
  );
}
