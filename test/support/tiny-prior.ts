import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '../../src/base/json.ts';
import { type BundleFiles } from '../../src/pipeline/ports.ts';
import { type PriorDescription } from '../../src/pipeline/prior/description.ts';
import { encodeGraph, noiseValues, type GraphConstant } from './onnx.ts';

/**
 * A prior of a few kilobytes with random weights: 8 x 8 images with 3 channels, latents of 2 x 4 x 4 (d = 32), the
 * classes `a`, `b`, `c`. It draws nothing well, but every shape, name and scale is that of a real one.
 */
export interface TinyPriorOptions {
  /** Other weights, and so other digests. */
  seed?: number;
  denoiser?: boolean;
  teacher?: boolean;
  break?: TinyPriorFault;
}

export type TinyPriorFault =
  | 'swapped' // encoder and decoder in each other's folders
  | 'wrongLatentShape' // prior.json and configs state latents of 2 x 8 x 8
  | 'wrongDenoiserShape' // the denoiser gives one channel too many
  | 'wrongTeacherClasses' // id2label names four classes, logits are three
  | 'fixedBatch' // the encoder takes batches of one only
  | 'mixedBatch' // the decoder subtracts the mean over the batch
  | 'nan' // a weight of the decoder is not a number
  | 'nanEncoder' // one of the encoder
  | 'garbageModel' // the teacher's file is no ONNX
  | 'missingFile' // vae_decoder/config.json is listed but not there
  | 'changedFile' // a byte of the decoder differs from its digest
  | 'unlistedFile' // teacher/extra.onnx is there but not listed
  | 'escapingPath'; // prior.json lists ../outside.json

export const TINY_IMAGE = { channels: 3, height: 8, width: 8 } as const;
export const TINY_LATENT = { channels: 2, height: 4, width: 4 } as const;
export const TINY_CLASSES = ['a', 'b', 'c'];

/** What `readBundle` says of it, but for `files`. */
export const TINY_DESCRIPTION: Omit<PriorDescription, 'files'> = {
  name: 'tiny',
  version: '1.0.0',
  license: 'Apache-2.0',
  image: TINY_IMAGE,
  latent: TINY_LATENT,
  classes: TINY_CLASSES,
  scalingFactor: 2,
  shiftFactor: 0.125,
  denoiser: {
    folder: 'transformer',
    nullClass: 3,
    scheduler: {
      num_train_timesteps: 1000,
      beta_schedule: 'linear',
      beta_start: 0.0001,
      beta_end: 0.02,
      prediction_type: 'epsilon',
      timestep_spacing: 'trailing',
      steps_offset: 0,
      set_alpha_to_one: true,
      clip_sample: false,
    },
  },
  teacher: { classes: TINY_CLASSES, imageMean: [0.5, 0.5, 0.5], imageStd: [0.25, 0.25, 0.25] },
};

/** Writes the bundle to a folder, which is emptied first. */
export async function writeTinyPrior(folder: string, options: TinyPriorOptions = {}): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const [path, bytes] of tinyPriorFiles(options)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
}

/** The bundle in memory. */
export function tinyPriorBundle(options: TinyPriorOptions = {}): BundleFiles {
  const files = tinyPriorFiles(options);
  return {
    list: async () => [...files].map(([path, bytes]) => ({ path, bytes: bytes.length })),
    read: async (path) => files.get(path) ?? Promise.reject(new Error(`no ${path}`)),
  };
}

/** Path to bytes. */
export function tinyPriorFiles(options: TinyPriorOptions = {}): Map<string, Uint8Array> {
  const { seed = 0, denoiser = true, teacher = true, break: fault } = options;
  const latent = fault === 'wrongLatentShape' ? { channels: 2, height: 8, width: 8 } : TINY_LATENT;
  const vae = { latent_channels: 2, scaling_factor: 2, shift_factor: 0.125, sample_size: 8 };
  const [encoder, decoder] = [encoderGraph(seed, fault), decoderGraph(seed, fault)];
  const files = new Map<string, Uint8Array>([
    ['model_index.json', json({ _class_name: 'DiTPipeline' })],
    ['vae_encoder/model.onnx', fault === 'swapped' ? decoder : encoder],
    ['vae_encoder/config.json', json(vae)],
    ['vae_decoder/model.onnx', fault === 'swapped' ? encoder : decoder],
    ['vae_decoder/config.json', json(vae)],
  ]);
  if (denoiser) {
    files.set('transformer/model.onnx', denoiserGraph(seed, fault));
    files.set('transformer/config.json', json({ num_classes: TINY_CLASSES.length }));
    const scheduler = {
      beta_schedule: 'linear',
      prediction_type: 'epsilon',
      timestep_spacing: 'trailing',
      clip_sample: false,
    };
    files.set('scheduler/scheduler_config.json', json({ _class_name: 'DDIMScheduler', ...scheduler }));
  }
  if (teacher) {
    const names = fault === 'wrongTeacherClasses' ? [...TINY_CLASSES, 'd'] : TINY_CLASSES;
    files.set(
      'teacher/model.onnx',
      fault === 'garbageModel' ? new TextEncoder().encode('no model') : teacherGraph(seed),
    );
    files.set('teacher/config.json', json({ id2label: Object.fromEntries(names.entries()) }));
    files.set('teacher/preprocessor_config.json', json({ image_mean: [0.5, 0.5, 0.5], image_std: [0.25] }));
  }
  const digests = Object.fromEntries([...files].map(([path, bytes]) => [path, digestOfFile(bytes)]));
  if (fault === 'missingFile') files.delete('vae_decoder/config.json');
  if (fault === 'changedFile') files.set('vae_decoder/model.onnx', changed(decoder));
  if (fault === 'unlistedFile') files.set('teacher/extra.onnx', new Uint8Array(1));
  if (fault === 'escapingPath') digests['../outside.json'] = { bytes: 2, sha256: sha256('{}') };
  const { name, version, license, image, classes } = TINY_DESCRIPTION;
  files.set('prior.json', json({ formatVersion: 1, name, version, license, image, latent, classes, files: digests }));
  return files;
}

/** One strided convolution: (b, 3, 8, 8) to means and logarithms of variances, (b, 4, 4, 4). */
function encoderGraph(seed: number, fault?: TinyPriorFault): Uint8Array {
  const b = fault === 'fixedBatch' ? 1 : 'b';
  const w = weights('w', [4, 3, 2, 2], seed + 1, 0.5);
  if (fault === 'nanEncoder') w.values[0] = Number.NaN;
  return encodeGraph({
    inputs: [{ name: 'sample', shape: [b, 3, 8, 8] }],
    outputs: [{ name: 'latent_parameters', shape: [b, 4, 4, 4] }],
    nodes: [
      {
        op: 'Conv',
        inputs: ['sample', 'w'],
        output: 'latent_parameters',
        attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      },
    ],
    constants: [w],
  });
}

/** One transposed convolution and tanh: (b, 2, 4, 4) to (b, 3, 8, 8). */
function decoderGraph(seed: number, fault?: TinyPriorFault): Uint8Array {
  const w = weights('w', [2, 3, 2, 2], seed + 2, 0.7);
  if (fault === 'nan') w.values[0] = Number.NaN;
  const up = {
    op: 'ConvTranspose',
    inputs: ['latent_sample', 'w'],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  };
  const centred = [
    { op: 'ReduceMean', inputs: ['raw'], output: 'mean', attributes: { axes: [0], keepdims: 1 } },
    { op: 'Sub', inputs: ['raw', 'mean'], output: 'up' },
  ];
  return encodeGraph({
    inputs: [{ name: 'latent_sample', shape: ['b', 2, 4, 4] }],
    outputs: [{ name: 'sample', shape: ['b', 3, 8, 8] }],
    nodes: [
      { ...up, output: fault === 'mixedBatch' ? 'raw' : 'up' },
      ...(fault === 'mixedBatch' ? centred : []),
      { op: 'Tanh', inputs: ['up'], output: 'sample' },
    ],
    constants: [w],
  });
}

/** A convolution of the latent, plus an offset per class, times a factor that falls with the timestep. */
function denoiserGraph(seed: number, fault?: TinyPriorFault): Uint8Array {
  const channels = fault === 'wrongDenoiserShape' ? 3 : 2;
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  return encodeGraph({
    inputs: [
      { name: 'hidden_states', shape: ['b', 2, 4, 4] },
      { name: 'timestep', type: 'int64', shape: ['b'] },
      { name: 'class_labels', type: 'int64', shape: ['b'] },
    ],
    outputs: [{ name: 'out_sample', shape: ['b', channels, 4, 4] }],
    nodes: [
      { op: 'Conv', inputs: ['hidden_states', 'w'], output: 'mixed', attributes: pads },
      { op: 'Gather', inputs: ['classes', 'class_labels'], output: 'offset' },
      { op: 'Add', inputs: ['mixed', 'offset'], output: 'shifted' },
      { op: 'Cast', inputs: ['timestep'], output: 'time', attributes: { to: 1 } },
      { op: 'Div', inputs: ['time', 'thousand'], output: 'share' },
      { op: 'Reshape', inputs: ['share', 'column'], output: 'factor' },
      { op: 'Mul', inputs: ['shifted', 'factor'], output: 'scaled' },
      { op: 'Tanh', inputs: ['scaled'], output: 'out_sample' },
    ],
    constants: [
      weights('w', [channels, 2, 3, 3], seed + 3, 0.4),
      weights('classes', [4, channels, 1, 1], seed + 4, 0.5),
      { name: 'thousand', shape: [], values: Float32Array.of(1000) },
      { name: 'column', shape: [4], values: BigInt64Array.of(-1n, 1n, 1n, 1n) },
    ],
  });
}

/** One dense layer: (b, 3, 8, 8) to (b, 3). */
function teacherGraph(seed: number): Uint8Array {
  return encodeGraph({
    inputs: [{ name: 'pixel_values', shape: ['b', 3, 8, 8] }],
    outputs: [{ name: 'logits', shape: ['b', 3] }],
    nodes: [
      { op: 'Flatten', inputs: ['pixel_values'], output: 'flat' },
      { op: 'MatMul', inputs: ['flat', 'w'], output: 'logits' },
    ],
    constants: [weights('w', [192, 3], seed + 5, 0.1)],
  });
}

function weights(name: string, shape: number[], seed: number, scale: number): GraphConstant {
  const length = shape.reduce((product, size) => product * size, 1);
  return { name, shape, values: noiseValues(length, seed, scale) };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function digestOfFile(bytes: Uint8Array): { bytes: number; sha256: string } {
  return { bytes: bytes.length, sha256: sha256(bytes) };
}

function changed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}
