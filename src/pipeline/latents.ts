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

/** Reads the latents that an encode task published. */
export async function readLatents(store: ObjectStore, projectId: string, artifactId: string): Promise<Latents> {
  const { latents } = await readTensors(store, projectId, artifactId, 'latents.safetensors');
  return asLatents(latents, `latents of artifact ${artifactId}`);
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

/** Parts in order, (n1, d), (n2, d), ... as one (n1 + n2 + ..., d). */
export function concatenateLatents(parts: readonly Latents[]): Latents {
  const first = parts[0]!;
  const d = first.points.d;
  const n = parts.reduce((sum, part) => sum + part.points.n, 0);
  const values = new Float32Array(n * d);
  let at = 0;
  for (const part of parts) {
    if (part.points.d !== d) {
      throw new PushforwardError(
        'CORRUPT_ARTIFACT',
        `expected latents of ${d} dimensions, got ${part.points.d}: these chunks were encoded with different priors`,
      );
    }
    values.set(part.points.values, at);
    at += part.points.values.length;
  }
  return { points: { values, n, d }, shape: first.shape };
}
