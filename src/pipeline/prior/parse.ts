import { z } from 'zod';
import { PushforwardError } from '../../base/errors.ts';
import { type ScheduleConfig } from '../../numerics/diffusion/schedule.ts';
import { type DenoiserDescription, type PriorDescription } from './description.ts';

/** Reads a JSON file of the bundle. */
export type ReadJson = (path: string) => Promise<unknown>;

/** Where a prior keeps its denoiser. */
export const DENOISER_FOLDERS = ['transformer', 'unet'] as const;

/** Our own file is strict: an unknown key is an error. */
const priorFile = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string().min(1).max(200),
  version: z.string().min(1).max(100),
  license: z.string().min(1).max(200),
  image: z.strictObject({ channels: z.union([z.literal(1), z.literal(3)]), height: extent(), width: extent() }),
  latent: z.strictObject({ channels: extent(), height: extent(), width: extent() }),
  classes: uniqueNames().optional(),
  files: z.record(
    z.string().min(1),
    z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

/** The others are written by exporters that say more than we need. */
const vaeConfig = z.looseObject({
  latent_channels: z.int().min(1),
  scaling_factor: z.number().positive().default(1),
  shift_factor: z.number().nullish(),
});

const denoiserConfig = z.looseObject({ num_classes: z.int().min(1).nullish() });

/** What the sampler does not do is refused, not passed over. */
const samplerLimits = z.looseObject({
  _class_name: z.enum(['DDIMScheduler', 'DDPMScheduler']),
  trained_betas: z.null().default(null),
  rescale_betas_zero_snr: z.literal(false).default(false),
  clip_sample_range: z.literal(1).default(1),
  thresholding: z.literal(false).default(false),
});

/** Defaults are those of diffusers' DDIMScheduler. */
const noiseSchedule = z.object({
  num_train_timesteps: z.int().min(1).max(100_000).default(1000),
  beta_start: z.number().min(0).max(1).default(0.0001),
  beta_end: z.number().min(0).max(1).default(0.02),
  beta_schedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']).default('linear'),
  prediction_type: z.enum(['epsilon', 'v_prediction', 'sample']).default('epsilon'),
  timestep_spacing: z.enum(['leading', 'trailing', 'linspace']).default('leading'),
  steps_offset: z.int().min(0).default(0),
  set_alpha_to_one: z.boolean().default(true),
  clip_sample: z.boolean().default(true),
});

const teacherConfig = z.looseObject({ id2label: z.record(z.string().regex(/^\d+$/), z.string().min(1)) });

const preprocessorConfig = z.looseObject({
  do_normalize: z.boolean().default(true),
  image_mean: z.array(z.number()).min(1).max(3).optional(),
  image_std: z.array(z.number().positive()).min(1).max(3).optional(),
});

export type PriorFile = z.infer<typeof priorFile>;

/** @throws PRIOR_INVALID naming the field */
export function parsePriorFile(json: unknown): PriorFile {
  return checked('prior.json', priorFile, json);
}

/**
 * Reads the JSON files that prior.json lists and brings them together.
 * @throws PRIOR_INVALID naming the file and the field
 */
export async function describePrior(file: PriorFile, readJson: ReadJson): Promise<PriorDescription> {
  checked('model_index.json', z.looseObject({}), await readJson('model_index.json'));
  const { scalingFactor, shiftFactor } = await readVae(file, readJson);
  const { name, version, license, image, latent, classes = null, files } = file;
  return {
    name,
    version,
    license,
    image,
    latent,
    classes,
    files,
    scalingFactor,
    shiftFactor,
    denoiser: await readDenoiser(file, readJson),
    teacher: 'teacher/model.onnx' in file.files ? await readTeacher(file, readJson) : null,
  };
}

async function readVae(file: PriorFile, readJson: ReadJson) {
  const [encoder, decoder] = await Promise.all(
    ['vae_encoder/config.json', 'vae_decoder/config.json'].map(async (path) => {
      const config = checked(path, vaeConfig, await readJson(path));
      if (config.latent_channels !== file.latent.channels) {
        throw priorInvalid(
          `expected latent_channels ${file.latent.channels} in ${path}, as in prior.json, got ${config.latent_channels}`,
          'correct whichever is wrong',
        );
      }
      return { scalingFactor: config.scaling_factor, shiftFactor: config.shift_factor ?? 0 };
    }),
  );
  if (encoder!.scalingFactor !== decoder!.scalingFactor || encoder!.shiftFactor !== decoder!.shiftFactor) {
    throw priorInvalid(
      `expected the same scaling_factor and shift_factor in both VAE configs, got ${JSON.stringify([encoder, decoder])}`,
      'take encoder and decoder from one model',
    );
  }
  return encoder!;
}

async function readDenoiser(file: PriorFile, readJson: ReadJson): Promise<DenoiserDescription | null> {
  const folders = DENOISER_FOLDERS.filter((folder) => `${folder}/model.onnx` in file.files);
  if (folders.length > 1) throw priorInvalid('expected transformer or unet, got both', 'leave one out');
  const folder = folders[0];
  if (!folder) return null;
  const path = `${folder}/config.json`;
  const nullClass = checked(path, denoiserConfig, await readJson(path)).num_classes ?? null;
  if (nullClass !== null && file.classes && file.classes.length !== nullClass) {
    throw priorInvalid(
      `expected num_classes ${file.classes.length} in ${path}, one for each class of prior.json, got ${nullClass}`,
      'correct whichever is wrong',
    );
  }
  return { folder, nullClass, scheduler: readScheduler(await readJson('scheduler/scheduler_config.json')) };
}

function readScheduler(json: unknown): ScheduleConfig {
  const path = 'scheduler/scheduler_config.json';
  checked(path, samplerLimits, json);
  return checked(path, noiseSchedule, json);
}

async function readTeacher(file: PriorFile, readJson: ReadJson) {
  const { id2label } = checked('teacher/config.json', teacherConfig, await readJson('teacher/config.json'));
  const labels = Object.keys(id2label).map((_, id) => id2label[id]);
  const classes = checked('teacher/config.json id2label', uniqueNames(), labels);
  const path = 'teacher/preprocessor_config.json';
  const config = checked(path, preprocessorConfig, await readJson(path));
  const perChannel = (name: 'image_mean' | 'image_std', identity: number): number[] => {
    const values = config.do_normalize ? config[name] : [identity];
    if (values?.length === 1) return new Array<number>(file.image.channels).fill(values[0]!);
    if (values?.length === file.image.channels) return values;
    throw priorInvalid(
      `expected ${name} for ${file.image.channels} channels in ${path}, got ${values?.length ?? 0} values`,
      'state one value per channel',
    );
  };
  return { classes, imageMean: perChannel('image_mean', 0), imageStd: perChannel('image_std', 1) };
}

export function priorInvalid(message: string, remedy: string, cause?: unknown): PushforwardError {
  return new PushforwardError('PRIOR_INVALID', `${message}: ${remedy}`, {}, { cause });
}

function checked<T extends z.ZodType>(path: string, schema: T, json: unknown): z.infer<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const at = issue.path.length > 0 ? ` at ${issue.path.map(String).join('.')}` : '';
  throw priorInvalid(`${path}${at}: ${issue.message}`, 'correct the file');
}

function extent() {
  return z.int().min(1).max(65_536);
}

function uniqueNames() {
  return z
    .array(z.string().min(1))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'expected each class once, got one twice');
}
