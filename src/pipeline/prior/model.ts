import { PushforwardError } from '../../base/errors.ts';
import { type ArtifactManifest } from '../../engine/ports.ts';
import { getBlob } from '../artifacts.ts';
import { type BundleFiles, type ModelRuntime, type ObjectStore } from '../ports.ts';
import { readDescription } from './bundle.ts';
import { type PriorDescription } from './description.ts';
import { networksOf, type Networks } from './networks.ts';
import { toPixels, toPlanes } from './pixels.ts';

/**
 * A prior ready for use. b is the batch, d the length of a flattened latent (channels x height x width, row-major).
 * Pixels are 8 bits, (b, height, width, channels) row-major. Models are loaded when they are first used.
 */
export interface Prior {
  readonly description: PriorDescription;
  /**
   * Posterior means, scaled as the prior says.
   * @param pixels (b, H, W, C)
   * @returns (b, d), of which not all need be finite: the caller checks, who can name the image
   */
  encode(pixels: Uint8Array): Promise<Float32Array>;
  /** @param latents (b, d) scaled @returns (b, H, W, C), rounded to the nearest of 256 levels */
  decode(latents: Float32Array): Promise<Uint8Array>;
  /**
   * One evaluation of the denoiser: what its `prediction_type` says (noise, velocity or clean latent).
   * @param noisy (b, d)
   * @param timestep of the training schedule, the same for the whole batch
   * @param classIds (b,), `nullClass` for no class; ignored by an unconditional denoiser
   * @returns (b, d)
   * @throws PRIOR_INVALID if the prior has no denoiser
   */
  denoise(noisy: Float32Array, timestep: number, classIds: ArrayLike<number>): Promise<Float32Array>;
  /** @param pixels (b, H, W, C) @returns logits (b, classes of the teacher) @throws PRIOR_INVALID if it has none */
  teach(pixels: Uint8Array): Promise<Float32Array>;
}

export interface OpenPriorOptions {
  store: ObjectStore;
  projectId: string;
  /** Of kind `prior`, see register.ts. */
  manifest: ArtifactManifest;
  runtime: ModelRuntime;
}

/** Opens a published prior. Reads its JSON files only; model bytes are read, and their digests checked, on first use. */
export async function openPrior({ store, projectId, manifest, runtime }: OpenPriorOptions): Promise<Prior> {
  const files = storedBundle(store, projectId, manifest);
  const description = await readDescription(files);
  return priorOf(description, (path) => files.read(path), runtime);
}

/** @param read the bytes of a file of the bundle, their digest checked */
export function priorOf(
  description: PriorDescription,
  read: (path: string) => Promise<Uint8Array>,
  runtime: ModelRuntime,
): Prior {
  const { image, scalingFactor, shiftFactor, teacher } = description;
  const networks: Networks = networksOf(description, (folder) => {
    const path = `${folder}/model.onnx`;
    return runtime.load(description.files[path]!.sha256, () => read(path));
  });
  return {
    description,
    async encode(pixels) {
      const half = new Array<number>(image.channels).fill(0.5);
      const means = await networks.encode(toPlanes(pixels, image, half, half));
      for (let i = 0; i < means.length; i++) means[i] = (means[i]! - shiftFactor) * scalingFactor;
      return means;
    },
    async decode(latents) {
      const unscaled = latents.map((value) => value / scalingFactor + shiftFactor);
      return toPixels(finite(await networks.decode(unscaled), 'vae_decoder'), image);
    },
    async denoise(noisy, timestep, classIds) {
      return finite(await networks.denoise(noisy, timestep, classIds), description.denoiser?.folder ?? '');
    },
    async teach(pixels) {
      const { imageMean = [], imageStd = [] } = teacher ?? {};
      const planes = teacher ? toPlanes(pixels, image, imageMean, imageStd) : new Float32Array();
      return finite(await networks.teach(planes), 'teacher');
    },
  };
}

/** The files of a published prior, as `publishPrior` stored them. */
function storedBundle(store: ObjectStore, projectId: string, manifest: ArtifactManifest): BundleFiles {
  return {
    list: () => Promise.resolve(Object.entries(manifest.blobs).map(([path, { bytes }]) => ({ path, bytes }))),
    read(path) {
      const blob = manifest.blobs[path];
      if (blob) return getBlob(store, projectId, blob);
      throw new PushforwardError(
        'PRIOR_INVALID',
        `expected ${path} among the blobs of prior ${manifest.id}, got ${Object.keys(manifest.blobs).join(', ')}: ` +
          'register the prior again',
      );
    },
  };
}

/** @throws NON_FINITE */
function finite(values: Float32Array, folder: string): Float32Array {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new PushforwardError(
    'NON_FINITE',
    `expected finite numbers from ${folder}/model.onnx, got ${values[at]}: its input is out of range, or its weights are damaged`,
    { model: folder },
  );
}
