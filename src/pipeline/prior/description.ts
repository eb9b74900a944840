/** What a prior bundle says of itself in its JSON files. `parse.ts` reads them; `validate.ts` holds the models to them. */
import { type ScheduleConfig } from '../../numerics/diffusion/schedule.ts';

/** Height and width in pixels (or latent cells). */
export interface Extent {
  channels: number;
  height: number;
  width: number;
}

export interface FileDigest {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface PriorDescription {
  name: string;
  version: string;
  license: string;
  image: Extent & { channels: 1 | 3 };
  latent: Extent;
  /** Names of the classes that the denoiser is conditioned on, by class id; null where the bundle does not name them. */
  classes: string[] | null;
  /** A latent of this system is `(mean - shiftFactor) * scalingFactor`. */
  scalingFactor: number;
  shiftFactor: number;
  denoiser: DenoiserDescription | null;
  teacher: TeacherDescription | null;
  /** Every file of the bundle but prior.json, by path. */
  files: Record<string, FileDigest>;
}

export interface DenoiserDescription {
  folder: 'transformer' | 'unet';
  /** The class id that stands for "no class" in guidance, equal to the number of classes; null: unconditional. */
  nullClass: number | null;
  /** The noise schedule that it was trained with. */
  scheduler: ScheduleConfig;
}

export interface TeacherDescription {
  /** By logit index. */
  classes: string[];
  /** Per channel, of pixels in [0, 1]; the teacher sees `(pixel / 255 - mean) / std`. */
  imageMean: number[];
  imageStd: number[];
}

/** Length of one flattened latent, d. */
export const latentLength = (of: { latent: Extent }): number => of.latent.channels * of.latent.height * of.latent.width;

/** Bytes of one image: height x width x channels. */
export const imageLength = (of: { image: Extent }): number => of.image.channels * of.image.height * of.image.width;
