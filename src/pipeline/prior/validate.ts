import { PushforwardError } from '../../base/errors.ts';
import { type ModelRuntime } from '../ports.ts';
import { type Bundle } from './bundle.ts';
import { imageLength, latentLength } from './description.ts';
import { priorOf } from './model.ts';
import { priorInvalid } from './parse.ts';
import { noiseSchedule } from '../../numerics/diffusion/schedule.ts';

/**
 * Runs every model of the bundle on a batch of two and on its first image alone, and holds shapes and values to the
 * description: a model with a fixed batch, or one whose answer for an image depends on its neighbours, would pass a single probe.
 * @throws PRIOR_INVALID naming the model, what was expected, what was received and the remedy
 */
export async function validatePrior(bundle: Bundle, runtime: ModelRuntime): Promise<void> {
  const { description } = bundle;
  const prior = priorOf(description, (path) => bundle.read(path), runtime);
  const pixels = probePixels(2 * imageLength(description));
  const latents = await probe('vae_encoder', () => onePasses('vae_encoder', pixels, (batch) => prior.encode(batch)));
  await probe('vae_decoder', () => onePasses('vae_decoder', latents, (batch) => prior.decode(batch), 0.01));
  const { denoiser, teacher } = description;
  if (denoiser) {
    const { scheduler, folder, nullClass } = denoiser;
    noiseSchedule(scheduler);
    const noisy = probeLatents(2 * latentLength(description));
    for (const timestep of [0, scheduler.num_train_timesteps - 1]) {
      const ids = (batch: Float32Array) => [0, nullClass ?? 0].slice(0, batch.length / latentLength(description));
      await probe(folder, () => onePasses(folder, noisy, (batch) => prior.denoise(batch, timestep, ids(batch))));
    }
  }
  if (teacher) await probe('teacher', () => onePasses('teacher', pixels, (batch) => prior.teach(batch)));
}

/** What a person wants to read of a valid bundle. */
export function describeBundle({ description }: Bundle): string {
  const { name, version, license, image, latent, classes, denoiser, teacher, files } = description;
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  const extent = (of: typeof latent) => `${of.channels} x ${of.height} x ${of.width}`;
  return [
    `${name} ${version} (${license}), ${(bytes / 1e6).toFixed(1)} MB in ${Object.keys(files).length} files`,
    `images    ${extent(image)}`,
    `latents   ${extent(latent)}, ${latentLength(description)} numbers`,
    `classes   ${classes ? `${classes.length}: ${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', ...' : ''}` : 'not named'}`,
    `denoiser  ${denoiser ? `${denoiser.folder}, ${denoiser.scheduler.prediction_type}, ${denoiser.scheduler.num_train_timesteps} timesteps` : 'none'}`,
    `teacher   ${teacher ? `${teacher.classes.length} classes` : 'none'}`,
  ].join('\n');
}

/**
 * Runs a batch of two, then its first half, and compares.
 * @param tolerance of the largest value; a level or two of 256 for pixels, which are rounded
 * @returns the answer for both
 */
async function onePasses<I extends Float32Array | Uint8Array, O extends Float32Array | Uint8Array>(
  folder: string,
  batch: I,
  run: (batch: I) => Promise<O>,
  tolerance = 1e-3,
): Promise<O> {
  const both = await run(batch);
  const one = await run(batch.slice(0, batch.length / 2) as I);
  let scale = 1;
  for (const value of both) {
    if (!Number.isFinite(value)) {
      throw priorInvalid(
        `expected finite numbers from ${folder}/model.onnx, got ${value}`,
        'its weights are damaged, export it again',
      );
    }
    scale = Math.max(scale, Math.abs(value));
  }
  const at = one.findIndex((value, index) => Math.abs(value - both[index]!) > tolerance * scale);
  if (at >= 0) {
    throw priorInvalid(
      `expected ${folder}/model.onnx to answer for an image alone as for two, got ${one[at]} and ${both[at]}`,
      'export it in evaluation mode',
    );
  }
  return both;
}

/** Whatever goes wrong in a probe is the bundle's fault, but for memory and providers. */
async function probe<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const code = cause instanceof PushforwardError ? cause.code : 'INTERNAL';
    if (code !== 'INVALID_INPUT' && code !== 'NON_FINITE') throw cause;
    const { message } = cause as PushforwardError;
    throw code === 'NON_FINITE'
      ? new PushforwardError('PRIOR_INVALID', message, {}, { cause })
      : priorInvalid(`${folder}/model.onnx: ${message}`, 'correct image and latent in prior.json, or the model', cause);
  }
}

/** A gradient, and its mirror: plain images. */
function probePixels(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i < length / 2 ? i : length - i) % 256);
}

/** About normal: the sum of twelve uniform numbers, less six, by a multiplicative sequence. */
function probeLatents(length: number): Float32Array {
  let state = 1;
  const uniform = () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
  return Float32Array.from({ length }, () => Array.from({ length: 12 }, uniform).reduce((sum, u) => sum + u, -6));
}
