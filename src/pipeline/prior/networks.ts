import { type Model, type TensorData, type TensorSignature } from '../ports.ts';
import { latentLength, type Extent, type PriorDescription } from './description.ts';
import { priorInvalid } from './parse.ts';

/** The bare networks: planes and unscaled latents in, float32 out. Shapes and values of every answer are checked. */
export interface Networks {
  /** @param images (b, C, H, W) in [-1, 1] @returns posterior means (b, d), unscaled */
  encode(images: Float32Array): Promise<Float32Array>;
  /** @param latents (b, d), unscaled @returns (b, C, H, W), about [-1, 1] */
  decode(latents: Float32Array): Promise<Float32Array>;
  /** @param noisy (b, d), scaled @param classIds (b,) @returns (b, d) */
  denoise(noisy: Float32Array, timestep: number, classIds: ArrayLike<number>): Promise<Float32Array>;
  /** @param images (b, C, H, W), normalised as the teacher wants @returns logits (b, c) */
  teach(images: Float32Array): Promise<Float32Array>;
}

/** @param load the model of a folder of the bundle */
export function networksOf(description: PriorDescription, load: (folder: string) => Promise<Model>): Networks {
  const { image, latent, denoiser, teacher } = description;
  const d = latentLength(description);

  return {
    async encode(images) {
      const model = await load('vae_encoder');
      const b = batchOf(images, image);
      const input = onlyInput(model, 'vae_encoder', 'sample');
      const output = outputOf(model, 'vae_encoder', ['latent_parameters', 'latent_mean', 'latent_sample']);
      const answer = (await model.run({ [input]: planes(images, b, image) }))[output];
      // `latent_parameters` are the means, then the logarithms of the variances.
      const channels = output === 'latent_parameters' ? 2 * latent.channels : latent.channels;
      const moments = checkedAnswer('vae_encoder', output, answer, [b, channels, latent.height, latent.width]);
      return firstOf(moments, b, d);
    },

    async decode(latents) {
      const model = await load('vae_decoder');
      const b = batchOf(latents, latent);
      const input = onlyInput(model, 'vae_decoder', 'latent_sample');
      const output = outputOf(model, 'vae_decoder', ['sample']);
      const answer = (await model.run({ [input]: planes(latents, b, latent) }))[output];
      return checkedAnswer('vae_decoder', output, answer, [b, image.channels, image.height, image.width]);
    },

    async denoise(noisy, timestep, classIds) {
      if (!denoiser)
        throw priorInvalid('expected a prior with a denoiser, got one without', 'add a transformer or a unet');
      const { folder, nullClass } = denoiser;
      const model = await load(folder);
      const b = batchOf(noisy, latent);
      const names = model.inputs.map((input) => input.name);
      const sample = names.find((name) => name === 'hidden_states' || name === 'sample');
      const expected = [sample ?? 'hidden_states', 'timestep', ...(nullClass === null ? [] : ['class_labels'])];
      if (names.length !== expected.length || !expected.every((name) => names.includes(name))) {
        throw priorInvalid(
          `expected ${folder} to take ${expected.join(', ')}, got ${names.join(', ')}`,
          nullClass === null ? 'state num_classes in its config.json if it takes class_labels' : 'export it again',
        );
      }
      const feeds: Record<string, TensorData> = { [expected[0]!]: planes(noisy, b, latent) };
      feeds['timestep'] = wholeNumbers(model, 'timestep', new Array<number>(b).fill(timestep));
      if (nullClass !== null) feeds['class_labels'] = wholeNumbers(model, 'class_labels', classIds);
      const output = outputOf(model, folder, ['out_sample']);
      const answer = (await model.run(feeds))[output];
      // A network that learned its variance gives it after the prediction.
      const channels = answer?.shape[1] === 2 * latent.channels ? 2 * latent.channels : latent.channels;
      return firstOf(checkedAnswer(folder, output, answer, [b, channels, latent.height, latent.width]), b, d);
    },

    async teach(images) {
      if (!teacher) throw priorInvalid('expected a prior with a teacher, got one without', 'add a teacher');
      const model = await load('teacher');
      const b = batchOf(images, image);
      const input = onlyInput(model, 'teacher', 'pixel_values');
      const output = outputOf(model, 'teacher', ['logits']);
      const answer = (await model.run({ [input]: planes(images, b, image) }))[output];
      return checkedAnswer('teacher', output, answer, [b, teacher.classes.length]);
    },
  };
}

function batchOf(values: ArrayLike<number>, { channels, height, width }: Extent): number {
  const b = values.length / (channels * height * width);
  if (Number.isInteger(b) && b > 0) return b;
  throw priorInvalid(
    `expected a batch of shape (b, ${channels}, ${height}, ${width}), got ${values.length} values`,
    'these were made with another prior',
  );
}

function planes(data: Float32Array, b: number, { channels, height, width }: Extent): TensorData {
  return { type: 'float32', data, shape: [b, channels, height, width] };
}

/** As the exporter typed the input: int64 usually, float32 sometimes. */
function wholeNumbers(model: Model, name: string, values: ArrayLike<number>): TensorData {
  const shape = [values.length];
  const type = model.inputs.find((input) => input.name === name)?.type;
  if (type === 'float32') return { type, data: Float32Array.from(values), shape };
  return { type: 'int64', data: BigInt64Array.from({ length: values.length }, (_, i) => BigInt(values[i]!)), shape };
}

function onlyInput(model: Model, folder: string, name: string): string {
  const names = model.inputs.map((input) => input.name);
  if (names.length === 1 && names[0] === name) return name;
  throw priorInvalid(
    `expected ${folder}/model.onnx to take ${name}, got ${names.join(', ')}`,
    swapped(folder, model.inputs),
  );
}

function outputOf(model: Model, folder: string, allowed: readonly string[]): string {
  const names = model.outputs.map((output) => output.name);
  const name = allowed.find((candidate) => names.includes(candidate));
  if (name !== undefined) return name;
  throw priorInvalid(
    `expected ${folder}/model.onnx to give ${allowed.join(' or ')}, got ${names.join(', ')}`,
    'export it again',
  );
}

function swapped(folder: string, inputs: readonly TensorSignature[]): string {
  const takes = new Map([
    ['sample', 'vae_encoder'],
    ['latent_sample', 'vae_decoder'],
  ]).get(inputs[0]?.name ?? '');
  if (!takes || takes === folder) return 'export it again with that name';
  return `this is what a ${takes} takes, so vae_encoder and vae_decoder seem to be swapped`;
}

function checkedAnswer(folder: string, name: string, answer: TensorData | undefined, shape: number[]): Float32Array {
  if (answer?.type !== 'float32' || answer.shape.join() !== shape.join()) {
    throw priorInvalid(
      `expected output ${name} of ${folder}/model.onnx as float32 of shape (${shape.join(', ')}), ` +
        `got ${answer?.type ?? 'nothing'} of shape (${answer?.shape.join(', ') ?? ''})`,
      'correct image and latent in prior.json, or export the model again',
    );
  }
  return answer.data;
}

/** The first d values of each row. @param rows (b, at least d) */
function firstOf(rows: Float32Array, b: number, d: number): Float32Array {
  const length = rows.length / b;
  if (length === d) return rows;
  const first = new Float32Array(b * d);
  for (let row = 0; row < b; row++) first.set(rows.subarray(row * length, row * length + d), row * d);
  return first;
}
