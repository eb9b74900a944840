import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createImageCodec } from '../../src/adapters/images/codec.ts';
import { type Published } from '../../src/engine/ports.ts';
import { getBlob } from '../../src/pipeline/artifacts.ts';
import { type Prior } from '../../src/pipeline/prior/model.ts';
import { readSafetensors } from '../../src/pipeline/formats/safetensors.ts';
import { createChain, type Chain } from '../support/chain.ts';
import { picture, pictures, withFolder, writeFolder } from '../support/image-sources.ts';
import { rawImage, writeIdx } from '../support/raw-sources.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { tinyPriorBundle, type TinyPriorOptions } from '../support/tiny-prior.ts';

const RECIPE = { imagesPerClass: 3, quantizer: { restarts: 2 }, decoder: { steps: 4 } };
const COUNTS = { a: 20, b: 12, c: 9 };

async function withChain<T>(
  use: (of: {
    chain: Chain;
    folder: string;
    prepared: Pick<Parameters<Chain['run']>[0], 'version' | 'prior'>;
  }) => Promise<T>,
  { files = undefined as Record<string, Uint8Array> | undefined, prior = {} as TinyPriorOptions } = {},
): Promise<T> {
  return withFolder(async (folder) => {
    await writeFolder(folder, files ?? (await pictures(COUNTS)));
    const chain = createChain(createMemoryStore());
    const prepared = { version: await chain.importPath(folder), prior: await chain.publish(tinyPriorBundle(prior)) };
    return use({ chain, folder, prepared });
  });
}

/** Every blob of every stage but the page. */
const digests = (published: Map<string, Published[]>): string[] =>
  [...published.values()]
    .flat()
    .filter(({ manifest }) => manifest.kind !== 'report')
    .flatMap(({ manifest }) =>
      Object.entries(manifest.blobs).map(([name, blob]) => `${manifest.id} ${name} ${blob.sha256}`),
    );

describe('the chain of stages', () => {
  it('goes from images to a weighted synthetic dataset with its figures', () =>
    withChain(async ({ chain, prepared }) => {
      const published = await chain.run({ ...prepared, recipe: RECIPE });
      expect([...published.keys()]).toEqual(['encode', 'quantize', 'decode', 'label', 'compare', 'report']);
      const codebooks = published.get('quantize')!;
      expect(codebooks.map(({ manifest }) => manifest.content['className'])).toEqual(['a', 'b', 'c']);
      codebooks.forEach(({ manifest: { metrics } }, i) => {
        const n = Object.values(COUNTS)[i]!;
        expect(metrics['n']).toBe(n);
        expect(metrics['trainN']! + metrics['heldoutN']!).toBe(n);
        expect(metrics['heldoutN']).toBe(Math.round(n * 0.1));
        expect(metrics['w2Weighted']! ** 2).toBeCloseTo(metrics['distortion']!, 9);
        expect(metrics['w2Weighted']).toBeLessThanOrEqual(metrics['w2Uniform']! + 1e-9);
      });
      const [dataset, page] = published.get('report')!;
      expect(Object.keys(dataset!.manifest.blobs)).toEqual([
        'train.parquet',
        'imagefolder.tar',
        'webdataset-000000.tar',
        'contact-sheet.png',
        'README.md',
        'manifest.json',
      ]);
      const manifest = JSON.parse(
        new TextDecoder().decode(await getBlob(chain.store, 'p', dataset!.manifest.blobs['manifest.json']!)),
      ) as { files: { name: string; sha256: string }[]; datasetVersion: object; recipe: object };
      expect(manifest.files.map(({ name, sha256 }) => [name, sha256])).toEqual(
        Object.entries(dataset!.manifest.blobs)
          .slice(0, -1)
          .map(([name, blob]) => [name, blob.sha256]),
      );
      expect(manifest).toMatchObject({
        datasetVersion: { digest: prepared.version.content['digest'] },
        prior: { id: prepared.prior.id },
        recipe: { imagesPerClass: RECIPE.imagesPerClass, seed: 0, weights: { exponent: 1 } },
      });
      const html = new TextDecoder().decode(await getBlob(chain.store, 'p', page!.manifest.blobs['report.html']!));
      // 2 seconds a task, as the chain of the test says: three chunks, three classes, twice three more
      expect(html).toContain('<th scope="row">encode</th><td>3</td><td>41</td><td>6.0</td>');
    }));

  it('gives the same bytes for any batch, thread count and order of tasks', () =>
    withChain(async ({ chain, folder, prepared }) => {
      const one = await chain.run({ ...prepared, recipe: RECIPE });
      const other = createChain(createMemoryStore());
      const again = { version: await other.importPath(folder), prior: await other.publish(tinyPriorBundle()) };
      const order = <T>(tasks: T[]) => [...tasks].reverse();
      const two = await other.run({ ...again, recipe: RECIPE, batch: 2, threads: 2, order });
      expect(digests(two)).toEqual(digests(one));
    }));

  it('gives other points for another seed, from the same latents', () =>
    withChain(async ({ chain, prepared }) => {
      const one = await chain.run({ ...prepared, recipe: RECIPE });
      const two = await chain.run({ ...prepared, recipe: { ...RECIPE, seed: 1 } });
      const ids = (of: Map<string, Published[]>, stage: string) => of.get(stage)!.map(({ manifest }) => manifest.id);
      expect(ids(two, 'encode')).toEqual(ids(one, 'encode'));
      expect(ids(two, 'quantize')).not.toEqual(ids(one, 'quantize'));
    }));

  it('decodes the points as they are, without labels, where the prior has neither denoiser nor teacher', () =>
    withChain(
      async ({ chain, prepared }) => {
        const published = await chain.run({ ...prepared, recipe: RECIPE });
        expect([...published.keys()]).toEqual(['encode', 'quantize', 'decode', 'compare', 'report']);
        const [codebook, images] = await Promise.all(
          (['quantize', 'decode'] as const).map(async (stage) => {
            const [blob] = Object.values(published.get(stage)![0]!.manifest.blobs);
            return readSafetensors(await getBlob(chain.store, 'p', blob!)).tensors;
          }),
        );
        expect(images!['latents']!.data).toEqual(codebook!['centroids']!.data);
      },
      { prior: { denoiser: false, teacher: false } },
    ));

  it('takes raw pixels as it takes the same pictures from files, but as another version', () =>
    withFolder(async (folder) => {
      const labels = Array.from({ length: 12 }, (_, i) => i % 2);
      const size = { width: 8, height: 8 };
      await writeIdx(join(folder, 'idx'), 'train', { ...size, labels });
      for (const [i, label] of labels.entries()) {
        const png = await createImageCodec().encodePng({ data: rawImage(i, 64), ...size, channels: 1 });
        await writeFolder(folder, { [`files/${'ab'[label]!}/${i}.png`]: png });
      }
      await writeFolder(folder, { 'idx/classes.txt': Buffer.from('a\nb\n') });
      const chain = createChain(createMemoryStore());
      const prior = await chain.publish(tinyPriorBundle());
      const versions = [await chain.importPath(join(folder, 'idx')), await chain.importPath(join(folder, 'files'))];
      expect(versions[0]!.content['digest']).not.toBe(versions[1]!.content['digest']);
      const latents = [];
      for (const version of versions) {
        const [encoded] = (await chain.run({ version, prior, recipe: { ...RECIPE, classes: ['a'] } })).get('encode')!;
        const { tensors } = readSafetensors(
          await getBlob(chain.store, 'p', encoded!.manifest.blobs['latents.safetensors']!),
        );
        const { data, shape } = tensors['latents']!;
        expect(shape[0]).toBe(6);
        latents.push([...(data as Float32Array)].sort());
      }
      expect(latents[0]).toEqual(latents[1]);
    }));

  it('says which samples belong to which point', () =>
    withChain(async ({ chain, prepared }) => {
      const published = await chain.run({ ...prepared, recipe: RECIPE });
      const { manifest } = published.get('quantize')![0]!;
      const { tensors } = readSafetensors(await getBlob(chain.store, 'p', manifest.blobs['codebook.safetensors']!));
      const assignment = [...(tensors['assignment']!.data as Int32Array)];
      const counts = [...(tensors['counts']!.data as Int32Array)];
      expect(counts).toEqual([0, 1, 2].map((point) => assignment.filter((of) => of === point).length));
      expect(assignment.filter((of) => of === -1)).toHaveLength(manifest.metrics['heldoutN']!);
    }));
});

describe('bad input', () => {
  const refusal = async (work: Promise<unknown>) =>
    work.then(
      () => null,
      (error: { code: string; message: string }) => error,
    );

  it('names corrupt images, and leaves them out under a tolerance', async () => {
    const files = await pictures(COUNTS);
    files['b/broken.png'] = (await picture(1000)).subarray(0, 60);
    await withChain(
      async ({ chain, prepared }) => {
        const error = await refusal(chain.run({ ...prepared, recipe: RECIPE }));
        expect(error).toMatchObject({ code: 'CORRUPT_IMAGE' });
        expect(error!.message).toMatch(
          /at most 0 corrupt images in class b, got 1.*broken\.png.*tolerances\.corruptImages/s,
        );
        const published = await chain.run({ ...prepared, recipe: { ...RECIPE, tolerances: { corruptImages: 1 } } });
        expect(published.get('quantize')![1]!.manifest.metrics['n']).toBe(COUNTS.b);
        const [dataset, page] = published.get('report')!.map(({ manifest }) => manifest.blobs);
        for (const blob of [dataset!['README.md']!, page!['report.html']!]) {
          const text = new TextDecoder().decode(await getBlob(chain.store, 'p', blob));
          expect(text).toContain('; 1 is broken and was left out');
        }
        // The chunk with one image less is published now; a recipe that tolerates none still refuses.
        expect(await refusal(chain.run({ ...prepared, recipe: RECIPE }))).toMatchObject({ code: 'CORRUPT_IMAGE' });
      },
      { files },
    );
  });

  it('refuses latents that are no numbers, and names the image', () =>
    withChain(async ({ chain, prepared }) => {
      const tamper = (prior: Prior): Prior => ({
        ...prior,
        encode: async (pixels) => (await prior.encode(pixels)).with(40, NaN),
      });
      const error = await refusal(chain.run({ ...prepared, recipe: RECIPE, tamper }));
      expect(error).toMatchObject({ code: 'NON_FINITE' });
      // 32 numbers a latent: the second of the batch
      expect(error!.message).toMatch(/got NaN for image a\/.*\.png/);
    }));

  it('refuses more points than a class has samples to learn from', () =>
    withChain(async ({ chain, prepared }) => {
      const error = await refusal(chain.run({ ...prepared, recipe: { ...RECIPE, imagesPerClass: 9 } }));
      expect(error!.message).toMatch(/at most 8 for class c, got 9: it has 9 images, of which 1 are held out/);
    }));

  it('quantizes a class of one image with K = 1 and no holdout', async () => {
    await withChain(
      async ({ chain, prepared }) => {
        const recipe = { ...RECIPE, imagesPerClass: 1, holdout: 0 };
        const published = await chain.run({ ...prepared, recipe });
        expect(published.get('quantize')![1]!.manifest.metrics).toMatchObject({
          n: 1,
          w2Weighted: 0,
          w2Uniform: 0,
          ess: 1,
        });
      },
      { files: { ...(await pictures({ a: 4 })), 'b/only.png': await picture(77) } },
    );
  });

  it('refuses a file that changed since the import, and says what to do', () =>
    withChain(async ({ chain, folder, prepared }) => {
      await writeFolder(folder, { 'a/0003.png': await picture(5000) });
      const error = await refusal(chain.run({ ...prepared, recipe: RECIPE }));
      expect(error).toMatchObject({ code: 'SOURCE_CHANGED' });
      expect(error!.message).toMatch(/import/);
    }));

  it('refuses diffusion and soft labels that the prior cannot give', () =>
    withChain(
      async ({ chain, prepared }) => {
        const diffusion = { ...RECIPE, decoder: { mode: 'DIFFUSION' } };
        expect((await refusal(chain.run({ ...prepared, recipe: diffusion })))!.message).toMatch(/denoiser/);
        const labels = { ...RECIPE, labels: { mode: 'TEACHER' } };
        expect((await refusal(chain.run({ ...prepared, recipe: labels })))!.message).toMatch(/teacher/);
      },
      { prior: { denoiser: false, teacher: false } },
    ));
});
