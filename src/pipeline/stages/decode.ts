import { type JsonObject } from '../../base/json.ts';
import { type TaskSpec } from '../../engine/ports.ts';
import { type Denoiser, regenerate } from '../../numerics/diffusion/ddim.ts';
import { guide } from '../../numerics/diffusion/guidance.ts';
import { noiseSchedule } from '../../numerics/diffusion/schedule.ts';
import { randomStream } from '../../numerics/math/random.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { asLatents, readTensors } from '../latents.ts';
import { classIdOf, decoderMode, describedPrior } from '../prior/described.ts';
import { type Prior } from '../prior/model.ts';
import { type Recipe } from '../recipe.ts';
import { taskOf, type Produced, type Stage, type WorkContext } from '../stage.ts';

/**
 * Codebooks to images, one class a task: each point, or the medoid of its cell, is noised to a strength, denoised by the class-conditional model with
 * guidance (SDEdit with DDIM), and decoded by the VAE. Without a denoiser the VAE decodes the points as they are.
 */
export const decode: Stage = {
  name: 'decode',
  version: 1,

  async plan({ recipe, published, inputs, projectId, store }) {
    const prior = await describedPrior(store, projectId, inputs['prior']!);
    const mode = decoderMode(recipe, prior);
    const tasks = (published.get('quantize') ?? []).map((codebook, index): TaskSpec => {
      const { className, label, k } = codebook.manifest.content as { className: string; label: number; k: number };
      const options: JsonObject = {
        className,
        label,
        decoder: prior.files['vae_decoder/model.onnx']!.sha256,
        scaling: [prior.scalingFactor, prior.shiftFactor],
        image: { ...prior.image },
        start: recipe.decoder.start,
        ...(mode === 'DIFFUSION' && {
          diffusion: {
            denoiser: prior.files[`${prior.denoiser!.folder}/model.onnx`]!.sha256,
            scheduler: { ...prior.denoiser!.scheduler },
            classId: classIdOf(prior, className),
            nullClass: prior.denoiser!.nullClass,
            strength: recipe.decoder.strength,
            steps: recipe.decoder.steps,
            guidance: recipe.decoder.guidance,
            seed: recipe.seed,
          },
        }),
      };
      return taskOf(decode, {
        index,
        title: className,
        labels: { class: className },
        items: k,
        options,
        locators: { prior: inputs['prior']! },
        identity: [codebook.manifest.id],
        inputs: [codebook.manifest.id, inputs['prior']!],
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as DecodeOptions;
    const prior = await context.prior(task.locators['prior'] as string);
    const tensors = await readTensors(context.store, context.projectId, task.inputs[0]!, 'codebook.safetensors');
    const start = options.start === 'MEDOID' ? 'medoids' : 'centroids';
    const codebook = asLatents(tensors[start], `the ${start} of ${options.className}`);
    const { n: k, d, values } = codebook.points;
    const { channels, height, width } = prior.description.image;
    const pixels = new Uint8Array(k * height * width * channels);
    const latents = new Float32Array(k * d);
    for (let from = 0; from < k; from += context.batch) {
      const to = Math.min(k, from + context.batch);
      const x0 = values.slice(from * d, to * d);
      const x = options.diffusion
        ? await throughDiffusion(x0, from, d, options.diffusion, options.label, prior, context)
        : x0;
      latents.set(x, from * d);
      pixels.set(await prior.decode(x), from * height * width * channels);
      context.onProgress(to);
    }
    return imagesArtifact(options, pixels, [k, height, width, channels], latents, [k, ...codebook.shape]);
  },
};

interface DecodeOptions {
  className: string;
  label: number;
  start: Recipe['decoder']['start'];
  diffusion?: DiffusionOptions;
}

interface DiffusionOptions {
  classId: number | null;
  strength: number;
  steps: number;
  guidance: number;
  seed: number;
}

/** @param x0 (b, d), the points `first` to `first + b` of the class */
async function throughDiffusion(
  x0: Float32Array,
  first: number,
  d: number,
  options: DiffusionOptions,
  label: number,
  prior: Prior,
  { signal, onProgress }: WorkContext,
): Promise<Float32Array> {
  const b = x0.length / d;
  const noise = new Float32Array(x0.length);
  for (let i = 0; i < b; i++) {
    const stream = randomStream({ seed: options.seed, classIndex: label, purpose: 'decode', item: first + i });
    noise.set(stream.normals(d), i * d);
  }
  const schedule = noiseSchedule(prior.description.denoiser!.scheduler);
  const denoise = guidedDenoiser(prior, options, b);
  const { steps, strength } = options;
  const onStep = (done: number, of: number) => onProgress(first + Math.floor((b * done) / of));
  return regenerate(denoise, x0, noise, schedule, { steps, strength, signal, onStep });
}

/** Both predictions of classifier-free guidance in one call of twice the batch. */
function guidedDenoiser(prior: Prior, { classId, guidance }: DiffusionOptions, b: number): Denoiser {
  const nullClass = prior.description.denoiser!.nullClass;
  const conditional = new Array<number>(b).fill(classId ?? 0);
  if (guidance === 1 || nullClass === null) return (x, t) => prior.denoise(x, t, conditional);
  const both = [...new Array<number>(b).fill(nullClass), ...conditional];
  return async (x, t) => {
    const doubled = new Float32Array(2 * x.length);
    doubled.set(x, 0);
    doubled.set(x, x.length);
    const prediction = await prior.denoise(doubled, t, both);
    return guide(prediction.subarray(0, x.length), prediction.subarray(x.length), guidance);
  };
}

function imagesArtifact(
  { className, label }: DecodeOptions,
  pixels: Uint8Array,
  shape: number[],
  latents: Float32Array,
  latentShape: number[],
): Produced {
  const bytes = writeSafetensors({
    // 8 bits, (k, height, width, channels)
    images: { type: 'uint8', data: pixels, shape },
    // what the VAE decoded, after diffusion
    latents: { type: 'float32', data: latents, shape: latentShape },
  });
  return {
    kind: 'images',
    blobs: { 'images.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
    content: { className, label, k: shape[0]! },
    metrics: { images: shape[0]! },
  };
}
