import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModelRuntime } from '../../../src/adapters/runtime/index.ts';
import { createDirectoryStore } from '../../../src/adapters/storage/index.ts';
import { blobKey, createPublications } from '../../../src/pipeline/artifacts.ts';
import { readBundle } from '../../../src/pipeline/prior/bundle.ts';
import { openPrior, type Prior } from '../../../src/pipeline/prior/model.ts';
import { toPixels, toPlanes } from '../../../src/pipeline/prior/pixels.ts';
import { publishPrior } from '../../../src/pipeline/prior/register.ts';
import { validatePrior } from '../../../src/pipeline/prior/validate.ts';
import { type ModelRuntime, type ObjectStore } from '../../../src/pipeline/ports.ts';
import { noiseValues } from '../../support/onnx.ts';
import {
  TINY_DESCRIPTION,
  TINY_IMAGE,
  tinyPriorBundle,
  type TinyPriorFault,
  type TinyPriorOptions,
} from '../../support/tiny-prior.ts';

let root = '';
let store: ObjectStore;
let runtime: ModelRuntime;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'prior-'));
  store = createDirectoryStore({ root, signingSecret: 'secret', publicUrl: () => '' });
  runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(root, { recursive: true });
});

const publish = async (options: TinyPriorOptions = {}, projectId = 'p') =>
  publishPrior({
    bundle: await readBundle(tinyPriorBundle(options)),
    store,
    projectId,
    publications: createPublications(store),
  });

const open = async (options: TinyPriorOptions = {}): Promise<Prior> =>
  openPrior({ store, projectId: 'p', manifest: await publish(options), runtime });

const images = (b: number): Uint8Array => Uint8Array.from(noiseValues(b * 192, 1, 127), (value) => value + 128);

describe('publishing a prior', () => {
  it('gives the same artifact for the same files, and another for others', async () => {
    const manifest = await publish();
    expect(manifest).toMatchObject({ kind: 'prior', stage: 'prior', content: { description: TINY_DESCRIPTION } });
    expect(Object.keys(manifest.blobs)).toHaveLength(12);
    expect(await publish()).toEqual(manifest);
    expect((await publish({ seed: 1 })).id).not.toBe(manifest.id);
  });

  it('puts every blob into the project', async () => {
    const { blobs } = await publish({}, 'other');
    for (const blob of Object.values(blobs))
      expect(await store.head(blobKey('other', blob.sha256))).toMatchObject({ bytes: blob.bytes });
  });
});

describe('an open prior', () => {
  it('encodes to scaled posterior means', async () => {
    const prior = await open();
    const pixels = images(5);
    const latents = await prior.encode(pixels);
    expect(latents).toHaveLength(5 * 32);
    const half = [0.5, 0.5, 0.5];
    const model = await runtime.load('raw', async () =>
      (await readBundle(tinyPriorBundle())).read('vae_encoder/model.onnx'),
    );
    const sample = { type: 'float32' as const, data: toPlanes(pixels, TINY_IMAGE, half, half), shape: [5, 3, 8, 8] };
    const moments = (await model.run({ sample }))['latent_parameters']!.data as Float32Array;
    for (const [row, at] of [
      [0, 0],
      [3, 17],
    ] as const) {
      expect(latents[row * 32 + at]).toBeCloseTo((moments[row * 64 + at]! - 0.125) * 2, 5);
    }
  });

  it('decodes to pixels', async () => {
    const prior = await open();
    const pixels = await prior.decode(new Float32Array(3 * 32).fill(-0.25));
    // A latent of -0.25 is 0 to the decoder, whose answer to 0 is 0: between 127 and 128.
    expect(new Set(pixels)).toEqual(new Set([128]));
    expect(pixels).toHaveLength(3 * 192);
  });

  it('gives each image the same bytes in any batch', async () => {
    const prior = await open();
    const pixels = images(64);
    const latents = await prior.encode(pixels);
    const noise = noiseValues(64 * 32, 2);
    const ids = Array.from({ length: 64 }, (_, i) => i % 4);
    const [decoded, denoised, logits] = [
      await prior.decode(latents),
      await prior.denoise(noise, 500, ids),
      await prior.teach(pixels),
    ];
    for (const i of [0, 31, 63]) {
      const one = pixels.slice(i * 192, (i + 1) * 192);
      const latent = latents.slice(i * 32, (i + 1) * 32);
      expect(await prior.encode(one)).toEqual(latent);
      expect(await prior.decode(latent)).toEqual(decoded.slice(i * 192, (i + 1) * 192));
      expect(await prior.denoise(noise.slice(i * 32, (i + 1) * 32), 500, [ids[i]!])).toEqual(
        denoised.slice(i * 32, (i + 1) * 32),
      );
      expect(await prior.teach(one)).toEqual(logits.slice(i * 3, (i + 1) * 3));
    }
  });

  it('denoises by timestep and class', async () => {
    const prior = await open();
    const x = noiseValues(32, 3);
    const answers = [
      await prior.denoise(x, 500, [0]),
      await prior.denoise(x, 500, [1]),
      await prior.denoise(x, 900, [0]),
    ];
    expect(new Set(answers.map(String)).size).toBe(3);
  });

  it('says what it does not have', async () => {
    const prior = await open({ denoiser: false, teacher: false });
    await expect(prior.denoise(new Float32Array(32), 0, [0])).rejects.toMatchObject({ code: 'PRIOR_INVALID' });
    await expect(prior.teach(images(1))).rejects.toMatchObject({ code: 'PRIOR_INVALID' });
  });

  it('refuses latents of another prior', async () => {
    const prior = await open();
    await expect(prior.decode(new Float32Array(33))).rejects.toThrow(
      'expected a batch of shape (b, 2, 4, 4), got 33 values',
    );
  });

  it('hands on nothing that is not finite', async () => {
    const prior = await open();
    await expect(prior.decode(new Float32Array(32).fill(Number.NaN))).rejects.toMatchObject({ code: 'NON_FINITE' });
  });

  it('reads models late and checks their bytes', async () => {
    const manifest = await publish({ seed: 7 });
    const own = await createModelRuntime({ provider: 'cpu', threads: 1 });
    const key = blobKey('p', manifest.blobs['vae_decoder/model.onnx']!.sha256);
    const good = await store.get(key);
    await store.put(
      key,
      good.map((byte, index) => (index === good.length - 1 ? byte ^ 1 : byte)),
    );
    const prior = await openPrior({ store, projectId: 'p', manifest, runtime: own });
    await prior.encode(images(1));
    await expect(prior.decode(new Float32Array(32))).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
    await own.close();
  });
});

describe('validation', () => {
  const validated = async (options: TinyPriorOptions) =>
    validatePrior(await readBundle(tinyPriorBundle(options)), runtime);

  it('passes what is right', async () => {
    await validated({});
    await validated({ denoiser: false, teacher: false });
  });

  it.each<[TinyPriorFault, string]>([
    ['swapped', 'vae_encoder and vae_decoder seem to be swapped'],
    [
      'wrongLatentShape',
      'expected output latent_parameters of vae_encoder/model.onnx as float32 of shape (2, 4, 8, 8), got float32 of shape (2, 4, 4, 4)',
    ],
    [
      'wrongDenoiserShape',
      'expected output out_sample of transformer/model.onnx as float32 of shape (2, 2, 4, 4), got float32 of shape (2, 3, 4, 4)',
    ],
    [
      'wrongTeacherClasses',
      'expected output logits of teacher/model.onnx as float32 of shape (2, 4), got float32 of shape (2, 3)',
    ],
    ['fixedBatch', 'expected input sample as float32 of shape (1, 3, 8, 8), got float32 of shape (2, 3, 8, 8)'],
    ['mixedBatch', 'expected vae_decoder/model.onnx to answer for an image alone as for two'],
    ['nanEncoder', 'expected finite numbers from vae_encoder/model.onnx, got NaN'],
    ['nan', 'expected finite numbers from vae_decoder/model.onnx, got NaN'],
    ['garbageModel', 'expected an ONNX model'],
  ])('refuses %s', async (fault, message) => {
    await expect(validated({ break: fault })).rejects.toMatchObject({
      code: 'PRIOR_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('pixels', () => {
  it('come back from planes as they were', () => {
    const pixels = Uint8Array.from({ length: 2 * 256 * 3 }, (_, i) => (i * 7) % 256);
    const image = { channels: 3, height: 16, width: 16 };
    const half = [0.5, 0.5, 0.5];
    const planes = toPlanes(pixels, image, half, half);
    expect(planes[0]).toBeCloseTo(-1);
    expect(planes[256]).toBeCloseTo((7 / 255) * 2 - 1);
    expect(toPixels(planes, image)).toEqual(pixels);
  });

  it('are cut at the ends', () => {
    const image = { channels: 1, height: 1, width: 4 };
    expect(toPixels(Float32Array.of(-9, -1, 1, 9), image)).toEqual(Uint8Array.of(0, 0, 255, 255));
  });
});
