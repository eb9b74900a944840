import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleFolder } from '../../../src/adapters/storage/index.ts';
import { sha256 } from '../../../src/base/json.ts';
import { readBundle } from '../../../src/pipeline/prior/bundle.ts';
import { type BundleFiles } from '../../../src/pipeline/ports.ts';
import {
  TINY_DESCRIPTION,
  tinyPriorBundle,
  tinyPriorFiles,
  writeTinyPrior,
  type TinyPriorFault,
} from '../../support/tiny-prior.ts';

/** A tiny prior one of whose JSON files says something else; its digest in prior.json is right. */
function withJson(path: string, change: Record<string, unknown>): BundleFiles {
  const files = tinyPriorFiles();
  const read = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name))) as Record<string, unknown>;
  const write = (name: string, value: unknown) => files.set(name, new TextEncoder().encode(JSON.stringify(value)));
  write(path, { ...read(path), ...change });
  if (path !== 'prior.json') {
    const bytes = files.get(path)!;
    const prior = read('prior.json') as { files: Record<string, unknown> };
    write('prior.json', {
      ...prior,
      files: { ...prior.files, [path]: { bytes: bytes.length, sha256: sha256(bytes) } },
    });
  }
  return {
    list: async () => [...files].map(([name, bytes]) => ({ path: name, bytes: bytes.length })),
    read: async (name) => files.get(name)!,
  };
}

describe('a prior bundle', () => {
  it('says what its JSON files say, from a folder as from memory', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'prior-'));
    try {
      await writeTinyPrior(folder);
      const { description } = await readBundle(bundleFolder(folder));
      expect(description).toMatchObject(TINY_DESCRIPTION);
      expect(Object.keys(description.files)).toHaveLength(11);
      expect((await readBundle(tinyPriorBundle())).description).toEqual(description);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('needs neither denoiser nor teacher', async () => {
    const { description } = await readBundle(tinyPriorBundle({ denoiser: false, teacher: false }));
    expect(description).toMatchObject({ denoiser: null, teacher: null });
  });

  it('may leave out scale and shift', async () => {
    const files = tinyPriorFiles();
    const bare = new TextEncoder().encode('{"latent_channels":2}');
    const prior = JSON.parse(new TextDecoder().decode(files.get('prior.json'))) as { files: Record<string, unknown> };
    for (const path of ['vae_encoder/config.json', 'vae_decoder/config.json']) {
      files.set(path, bare);
      prior.files[path] = { bytes: bare.length, sha256: sha256(bare) };
    }
    files.set('prior.json', new TextEncoder().encode(JSON.stringify(prior)));
    const { description } = await readBundle({
      list: async () => [...files].map(([path, bytes]) => ({ path, bytes: bytes.length })),
      read: async (path) => files.get(path)!,
    });
    expect(description).toMatchObject({ scalingFactor: 1, shiftFactor: 0 });
  });

  it.each<[TinyPriorFault, string, string]>([
    ['missingFile', 'PRIOR_INVALID', 'bytes in vae_decoder/config.json, got no file'],
    ['changedFile', 'PRIOR_INVALID', 'expected vae_decoder/model.onnx with digest'],
    ['unlistedFile', 'PRIOR_INVALID', 'got teacher/extra.onnx: list it'],
    ['escapingPath', 'UNSAFE_PATH', 'got "../outside.json"'],
  ])('is refused when %s', async (fault, code, message) => {
    await expect(readBundle(tinyPriorBundle({ break: fault }))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['prior.json', { formatVersion: 2 }, 'prior.json at formatVersion'],
    ['prior.json', { surplus: 1 }, 'surplus'],
    ['prior.json', { classes: ['a', 'a', 'b'] }, 'each class once'],
    ['prior.json', { classes: ['a', 'b'] }, 'expected num_classes 2 in transformer/config.json'],
    ['prior.json', { image: { channels: 2, height: 8, width: 8 } }, 'image.channels'],
    ['prior.json', { files: {} }, 'list model_index.json'],
    ['vae_encoder/config.json', { latent_channels: 4 }, 'expected latent_channels 2 in vae_encoder/config.json'],
    ['vae_decoder/config.json', { scaling_factor: 3 }, 'expected the same scaling_factor'],
    ['vae_encoder/config.json', { scaling_factor: 0 }, 'vae_encoder/config.json at scaling_factor'],
    ['scheduler/scheduler_config.json', { _class_name: 'FlowMatchEulerDiscreteScheduler' }, '_class_name'],
    ['scheduler/scheduler_config.json', { beta_schedule: 'sigmoid' }, 'beta_schedule'],
    ['scheduler/scheduler_config.json', { thresholding: true }, 'thresholding'],
    ['scheduler/scheduler_config.json', { trained_betas: [0.1] }, 'trained_betas'],
    ['scheduler/scheduler_config.json', { rescale_betas_zero_snr: true }, 'rescale_betas_zero_snr'],
    ['scheduler/scheduler_config.json', { clip_sample_range: 2 }, 'clip_sample_range'],
    ['teacher/config.json', { id2label: { 0: 'a', 2: 'c' } }, 'id2label'],
    ['teacher/preprocessor_config.json', { image_mean: [0.5, 0.5] }, 'expected image_mean for 3 channels'],
    ['teacher/preprocessor_config.json', { image_std: [0] }, 'image_std'],
  ])('is refused when %s says %j', async (path, change, message) => {
    await expect(readBundle(withJson(path, change))).rejects.toMatchObject({
      code: 'PRIOR_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  it('is refused without prior.json', async () => {
    const empty: BundleFiles = { list: async () => [], read: () => Promise.reject(new Error()) };
    await expect(readBundle(empty)).rejects.toMatchObject({ code: 'PRIOR_INVALID' });
  });
});
