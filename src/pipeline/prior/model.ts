import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ModelRuntime, type ObjectStore } from '../ports.ts';
import { type PriorDescription } from './description.ts';

/**
 * A prior ready for use. b is the batch, d the length of a flattened latent (channels x height x width, row-major).
 * Pixels are 8 bits, (b, height, width, channels) row-major. Models are loaded when they are first used.
 */
export interface Prior {
  readonly description: PriorDescription;
  /** Posterior means, scaled as the prior says. @param pixels (b, H, W, C) @returns (b, d) */
  encode(pixels: Uint8Array): Promise<Float32Array>;
  /** @param latents (b, d) scaled @returns (b, H, W, C), rounded to the nearest of 256 levels */
  decode(latents: Float32Array): Promise<Uint8Array>;
  /**
   * One evaluation of the denoiser: what its `predictionType` says (noise, velocity or clean latent).
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
export async function openPrior(_options: OpenPriorOptions): Promise<Prior> {
  throw new Error('being written');
}
