import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { describe, expect, it } from 'vitest';
import { type Published } from '../../../src/engine/ports.ts';
import { wasserstein2 } from '../../../src/numerics/transport/wasserstein.ts';
import { getBlob } from '../../../src/pipeline/artifacts.ts';
import { asLatents, readClass, readTensors } from '../../../src/pipeline/latents.ts';
import { parseRecipe } from '../../../src/pipeline/recipe.ts';
import { compare } from '../../../src/pipeline/stages/compare.ts';
import { splitLatents } from '../../../src/pipeline/training.ts';
import { createChain, type Chain } from '../../support/chain.ts';
import { pictures, withFolder, writeFolder } from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { tinyPriorBundle, type TinyPriorOptions } from '../../support/tiny-prior.ts';

const RECIPE = { imagesPerClass: 4, quantizer: { restarts: 3 }, decoder: { steps: 4 }, compare: { d4mShuffles: 3 } };
const PLAN = {
  projectId: 'p',
  runId: 'r',
  inputs: {},
  stage: 'compare',
  published: new Map(),
  signal: new AbortController().signal,
};
const COUNTS = { a: 40, b: 24 };

type Prepared = Pick<Parameters<Chain['run']>[0], 'version' | 'prior'>;

const withChain = (
  use: (chain: Chain, prepared: Prepared, folder: string) => Promise<void>,
  prior: TinyPriorOptions = {},
) =>
  withFolder(async (folder) => {
    await writeFolder(folder, await pictures(COUNTS));
    const chain = createChain(createMemoryStore());
    await use(
      chain,
      { version: await chain.importPath(folder), prior: await chain.publish(tinyPriorBundle(prior)) },
      folder,
    );
  });

const of = (published: Map<string, Published[]>, stage: string) =>
  published.get(stage)!.map(({ manifest }) => manifest);
const metricsOf = (published: Map<string, Published[]>) =>
  of(published, 'quantize').map((codebook, i) => ({
    ...codebook.metrics,
    ...of(published, 'compare')[i]!.metrics,
  })) as Record<string, number>[];
const tensorsOf = (chain: Chain, published: Map<string, Published[]>, stage: string, blob: string, index = 0) =>
  readTensors(chain.store, 'p', of(published, stage)[index]!.id, blob);

describe('the compare stage', () => {
  it('puts ours below balanced, balanced below uniform, and ours below D4M', () =>
    withChain(async (chain, prepared) => {
      for (const row of metricsOf(await chain.run({ ...prepared, recipe: RECIPE }))) {
        expect(row['comparedN']).toBe(row['trainN']);
        expect(row['w2Weighted']).toBeLessThanOrEqual(row['w2Balanced']! * (1 + 1e-9));
        expect(row['w2Balanced']).toBeLessThanOrEqual(row['w2Uniform']! * (1 + 1e-6));
        expect(row['w2Weighted']).toBeLessThan(row['w2D4mMean']!);
        expect(row['w2D4mDeviation']).toBeGreaterThan(0);
        expect(row['reductionBalanced']).toBeCloseTo(1 - row['w2Weighted']! / row['w2Balanced']!, 12);
        expect(row['w2DecodedBias']).toBeCloseTo(row['w2Decoded']! - row['w2Weighted']!, 12);
        expect(row['energyRefit']).toBeLessThanOrEqual(row['energyDecoded']! + 1e-6);
        expect(row['nearestRatio']).toBeCloseTo(row['nearestDecoded']! / row['nearestReal']!, 12);
      }
    }));

  it('keeps what it measured, and measured it on the latents that the quantizer saw', () =>
    withChain(async (chain, prepared) => {
      const published = await chain.run({ ...prepared, recipe: RECIPE });
      const { decoded, balanced, d4m, refitWeights } = await tensorsOf(
        chain,
        published,
        'compare',
        'comparison.safetensors',
      );
      const [, codebook, images, ...chunks] = of(published, 'compare')[0]!.inputs as [string, string, string, string];
      expect(images).toBe(of(published, 'decode')[0]!.id);
      const latents = await readClass(chain.store, 'p', chunks);
      const { training } = splitLatents(latents, { holdout: 0.1, seed: 0, label: 0 });
      const { weights } = await readTensors(chain.store, 'p', codebook, 'codebook.safetensors');
      const w2 = async (tensor: typeof decoded, masses: Float64Array) =>
        (await wasserstein2(training, asLatents(tensor, 'test').points, masses)).w2;
      const row = metricsOf(published)[0]!;
      const uniform = new Float64Array(4).fill(1 / 4);
      const refit = refitWeights!.data as Float64Array;
      expect(refit.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      expect(Math.min(...refit)).toBeGreaterThanOrEqual(0);
      expect(await w2(decoded, weights!.data as Float64Array)).toBeCloseTo(row['w2Decoded']!, 6);
      expect(await w2(decoded, refit)).toBeCloseTo(row['w2Refit']!, 6);
      expect(await w2(balanced, uniform)).toBeCloseTo(row['w2Balanced']!, 6);
      const first = await w2(d4m, uniform);
      expect(Math.abs(first - row['w2D4mMean']!)).toBeLessThanOrEqual(3 * row['w2D4mDeviation']!);
    }));

  it('changes nothing of the codebooks and images, on or off, and says why where it is off', () =>
    withChain(async (chain, prepared) => {
      const on = await chain.run({ ...prepared, recipe: RECIPE });
      const off = await chain.run({ ...prepared, recipe: { ...RECIPE, compare: { mode: 'OFF' } } });
      const recipe = parseRecipe({ datasetVersionId: 'v', priorId: 'p', ...RECIPE, compare: { mode: 'OFF' } });
      const plan = await compare.plan({ ...PLAN, recipe, store: chain.store });
      expect(plan).toEqual({ kind: 'skip', reason: 'the recipe asks for no comparison' });
      expect(off.has('compare')).toBe(false);
      for (const stage of ['quantize', 'decode', 'label'])
        expect(of(off, stage).map(({ id }) => id)).toEqual(of(on, stage).map(({ id }) => id));
      const page = new TextDecoder().decode(
        await getBlob(chain.store, 'p', of(off, 'report')[1]!.blobs['report.html']!),
      );
      expect(page).not.toContain('What the decoder did');
    }));

  it('takes K = n, where there is nothing to improve, and K = 1', () =>
    withChain(async (chain, prepared) => {
      const all = { ...RECIPE, imagesPerClass: 24, holdout: 0, classes: ['b'], decoder: { mode: 'VAE' } };
      const [row] = metricsOf(await chain.run({ ...prepared, recipe: all }));
      for (const name of ['w2Weighted', 'w2Balanced', 'w2D4mMean', 'w2D4mDeviation']) expect(row![name]).toBe(0);
      for (const name of ['reductionBalanced', 'reductionD4m']) expect(row![name]).toBe(0);
      const one = { ...RECIPE, imagesPerClass: 1, classes: ['b'] };
      const [mean] = metricsOf(await chain.run({ ...prepared, recipe: one }));
      expect(mean!['w2Balanced']).toBeCloseTo(mean!['w2Weighted']!, 6);
      expect(mean!['essRefit']).toBe(1);
    }));

  it('needs no denoiser, and finds what the VAE alone changes', () =>
    withChain(
      async (chain, prepared) => {
        const published = await chain.run({ ...prepared, recipe: RECIPE });
        for (const row of metricsOf(published)) expect(row['w2Decoded']).toBeGreaterThan(row['w2Weighted']!);
      },
      { denoiser: false, teacher: false },
    ));

  it('takes a class of one image, which has no neighbour', () =>
    withFolder(async (folder) => {
      await writeFolder(folder, await pictures({ a: 1 }));
      const chain = createChain(createMemoryStore());
      const prepared = { version: await chain.importPath(folder), prior: await chain.publish(tinyPriorBundle()) };
      const recipe = { ...RECIPE, imagesPerClass: 1, holdout: 0 };
      const published = await chain.run({ ...prepared, recipe });
      const [row] = metricsOf(published);
      expect(row).not.toHaveProperty('nearestRatio');
      expect(row!['w2Balanced']).toBe(0);
      const page = await getBlob(chain.store, 'p', of(published, 'report')[1]!.blobs['report.html']!);
      expect(new TextDecoder().decode(page)).toContain('<td>not found</td>');
    }));

  it('gives the same bytes for any batch, thread count and order of tasks', () =>
    withChain(async (chain, prepared, folder) => {
      const one = await chain.run({ ...prepared, recipe: RECIPE });
      const other = createChain(createMemoryStore());
      const again = { version: await other.importPath(folder), prior: await other.publish(tinyPriorBundle()) };
      const order = <T>(tasks: T[]) => [...tasks].reverse();
      const two = await other.run({ ...again, recipe: RECIPE, batch: 3, threads: 2, order });
      const seen = (published: Map<string, Published[]>) =>
        of(published, 'compare').map(({ id, blobs, metrics }) => ({ id, blobs, metrics }));
      expect(seen(two)).toEqual(seen(one));
    }));

  it('tells its progress and ends when it is told to', () =>
    withChain(async (chain, prepared) => {
      const told: number[] = [];
      const cancel = new AbortController();
      const run = chain.run({
        ...prepared,
        recipe: { ...RECIPE, compare: { d4mShuffles: 1000 } },
        signal: cancel.signal,
        onProgress: (stage, done) => {
          if (stage !== 'compare') return;
          told.push(done);
          if (told.length === 5) cancel.abort();
        },
      });
      await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(told.length).toBeLessThan(10);
    }));

  it('refuses images whose latents are no numbers, and names one', () =>
    withChain(async (chain, prepared) => {
      const encoded: number[] = [];
      const run = chain.run({
        ...prepared,
        recipe: RECIPE,
        batch: 100,
        // Classes are encoded whole: the third call is the first that encodes decoded images.
        tamper: (prior) => ({
          ...prior,
          encode: async (pixels) => {
            const latents = await prior.encode(pixels);
            return encoded.push(1) > 2 ? latents.with(40, NaN) : latents;
          },
        }),
      });
      await expect(run).rejects.toMatchObject({
        code: 'NON_FINITE',
        message: expect.stringContaining('got NaN for synthetic image 1 of class a') as string,
      });
    }));
});

describe('refitted weights', () => {
  const rowsOf = async (chain: Chain, published: Map<string, Published[]>) => {
    const bytes = await getBlob(chain.store, 'p', of(published, 'report')[0]!.blobs['train.parquet']!);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    return parquetReadObjects({ file, compressors, utf8: false });
  };

  it('are those of the dataset where the recipe asks for them', () =>
    withChain(async (chain, prepared) => {
      const plain = await chain.run({ ...prepared, recipe: RECIPE });
      const refit = await chain.run({ ...prepared, recipe: { ...RECIPE, weights: { refit: true } } });
      expect(of(refit, 'compare').map(({ id }) => id)).toEqual(of(plain, 'compare').map(({ id }) => id));
      expect(of(refit, 'report')[0]!.inputs).toEqual(expect.arrayContaining([of(refit, 'compare')[0]!.id]));
      const { refitWeights } = await tensorsOf(chain, refit, 'compare', 'comparison.safetensors');
      const [before, after] = [await rowsOf(chain, plain), await rowsOf(chain, refit)];
      const weights = after.slice(0, 4).map((row) => row['weight'] as number);
      const total = weights.reduce((a, b) => a + b);
      weights.forEach((weight, i) => expect(weight / total).toBeCloseTo((refitWeights!.data as Float64Array)[i]!, 6));
      expect(after.reduce((sum, row) => sum + (row['weight'] as number), 0) / after.length).toBeCloseTo(1, 6);
      expect(after.map((row) => row['image'])).toEqual(before.map((row) => row['image']));
      expect(after.map((row) => row['cell_count'])).toEqual(before.map((row) => row['cell_count']));
      const text = async (name: string) =>
        new TextDecoder().decode(
          await getBlob(chain.store, 'p', of(refit, 'report')[name === 'report.html' ? 1 : 0]!.blobs[name]!),
        );
      expect(await text('README.md')).toContain('the mass refitted on the images');
      expect(await text('report.html')).toContain('Weights are refitted on the decoded images');
    }));
});

describe('decoding from medoids', () => {
  it('starts from real latents, those of the cells', () =>
    withChain(
      async (chain, prepared) => {
        const recipe = { ...RECIPE, decoder: { start: 'MEDOID' } };
        const published = await chain.run({ ...prepared, recipe });
        const codebook = await tensorsOf(chain, published, 'quantize', 'codebook.safetensors');
        const { latents } = await tensorsOf(chain, published, 'decode', 'images.safetensors');
        expect(latents!.data).toEqual(codebook['medoids']!.data);
        const samples = await readClass(chain.store, 'p', of(published, 'quantize')[0]!.inputs);
        const d = samples.points.d;
        const [assignment, places] = [codebook['assignment']!.data, codebook['medoidSamples']!.data as Int32Array];
        places.forEach((place, point) => {
          expect(assignment[place]).toBe(point);
          expect(samples.points.values.subarray(place * d, (place + 1) * d)).toEqual(
            (latents!.data as Float32Array).subarray(point * d, (point + 1) * d),
          );
        });
        const plain = await chain.run({ ...prepared, recipe: RECIPE });
        expect(of(plain, 'quantize').map(({ id }) => id)).toEqual(of(published, 'quantize').map(({ id }) => id));
        expect(of(plain, 'decode').map(({ id }) => id)).not.toEqual(of(published, 'decode').map(({ id }) => id));
      },
      { denoiser: false, teacher: false },
    ));
});
