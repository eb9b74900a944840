import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Published } from '../../../src/engine/ports.ts';
import { plainProduct } from '../../../src/numerics/math/product.ts';
import { curveOf } from '../../../src/pipeline/curve.ts';
import { createPlanner } from '../../../src/pipeline/planner.ts';
import { asJson, parseRecipe } from '../../../src/pipeline/recipe.ts';
import { type WorkContext } from '../../../src/pipeline/stage.ts';
import { survey } from '../../../src/pipeline/stages/survey.ts';
import { createChain, type Chain } from '../../support/chain.ts';
import { picture, pictures, withFolder, writeFolder } from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { tinyPriorBundle } from '../../support/tiny-prior.ts';

const QUICK = { quantizer: { restarts: 2 }, decoder: { mode: 'VAE' }, labels: { mode: 'NONE' } };

async function withClasses<T>(
  files: Record<string, Uint8Array>,
  use: (run: (recipe: object) => ReturnType<Chain['run']>, chain: Chain) => Promise<T>,
): Promise<T> {
  return withFolder(async (folder) => {
    await writeFolder(folder, files);
    const chain = createChain(createMemoryStore());
    const prepared = { version: await chain.importPath(folder), prior: await chain.publish(tinyPriorBundle()) };
    return use((recipe) => chain.run({ ...prepared, recipe: { ...QUICK, ...recipe } }), chain);
  });
}

const metricsOf = (published: Map<string, Published[]>, stage: string) =>
  published.get(stage)!.map(({ manifest }) => manifest.metrics);
const ids = (published: Map<string, Published[]>, stage: string) =>
  published.get(stage)!.map(({ manifest }) => manifest.id);

describe('the survey', () => {
  it('measures curves that fall, on the split of the quantizer, with their slope and dimension', async () => {
    await withClasses(await pictures({ a: 80, b: 30 }), async (run) => {
      const published = await run({ imagesPerClass: 12, survey: { mode: 'ON' } });
      expect([...published.keys()]).toEqual(['encode', 'survey', 'quantize', 'decode', 'compare', 'report']);
      const [a, b] = published.get('survey')!.map(({ manifest }) => manifest);
      expect(curveOf(a!).map(({ k }) => k)).toEqual([1, 2, 5, 10, 12]);
      expect(a).toMatchObject({ kind: 'distortionCurve', metrics: { n: 80, trainN: 72, heldoutN: 8, surveyedN: 72 } });
      for (const manifest of [a!, b!]) {
        const curve = curveOf(manifest);
        curve.forEach((point, i) => {
          expect(point.w2).toBeCloseTo(Math.sqrt(point.distortion), 12);
          expect(point.heldoutDistortion).toBeGreaterThan(0);
          expect(point.spread).toBeGreaterThanOrEqual(0);
          if (i > 0) expect(point.distortion).toBeLessThan(curve[i - 1]!.distortion);
        });
        const { quantizationRate, quantizationRateLow, quantizationRateHigh } = manifest.metrics as Record<
          string,
          number
        >;
        expect(quantizationRate).toBeLessThan(0);
        expect(quantizationRateLow).toBeLessThan(quantizationRate!);
        expect(quantizationRateHigh).toBeGreaterThan(quantizationRate!);
      }
      expect(a!.metrics['intrinsicDimension']).toBeGreaterThan(0);
      // The quantizer has more restarts, swaps, and the same samples.
      const [quantized] = metricsOf(published, 'quantize');
      expect(quantized!['trainN']).toBe(72);
      expect(quantized!['distortion']).toBeLessThanOrEqual(curveOf(a!).at(-1)!.distortion * (1 + 1e-9));
    });
  });

  it('leaves the codebooks as they are, and is the same whatever the quantizer', async () => {
    await withClasses(await pictures({ a: 20, b: 12 }), async (run) => {
      const recipe = { imagesPerClass: 3 };
      const without = await run({ ...recipe, survey: { mode: 'OFF' } });
      const surveyed = await run({ ...recipe, survey: { mode: 'ON' } });
      expect(without.has('survey')).toBe(false);
      expect(ids(surveyed, 'quantize')).toEqual(ids(without, 'quantize'));
      const other = await run({ ...recipe, survey: { mode: 'ON' }, quantizer: { restarts: 3 } });
      expect(ids(other, 'survey')).toEqual(ids(surveyed, 'survey'));
      expect(ids(other, 'quantize')).not.toEqual(ids(surveyed, 'quantize'));
    });
  });

  it('is planned by AUTO where it takes at most twice the work of the quantizer, and says why not', async () => {
    await withClasses(await pictures({ a: 40 }), async (run, chain) => {
      const planner = createPlanner(chain.store);
      const encoded = (await run({ imagesPerClass: 2 })).get('encode')!;
      const plan = (recipe: object) =>
        planner.plan({
          projectId: 'p',
          runId: 'r',
          recipe: asJson(parseRecipe({ datasetVersionId: 'v', priorId: 'p', ...recipe })),
          inputs: {},
          stage: 'survey',
          published: new Map([['encode', encoded]]),
          signal: new AbortController().signal,
        });
      expect((await plan({ imagesPerClass: 10 })).kind).toBe('tasks');
      expect((await plan({ imagesPerClass: 10, quantizer: { restarts: 100 } })).kind).toBe('tasks');
      expect(await plan({ imagesPerClass: 10, quantizer: { restarts: 2 } })).toEqual({
        kind: 'skip',
        reason: expect.stringMatching(/more than 2 times the quantizer's work: survey.mode ON measures them/),
      });
      expect(await plan({ imagesPerClass: 10, survey: { mode: 'OFF' } })).toMatchObject({ kind: 'skip' });
      expect((await plan({ totalImages: 10, quantizer: { restarts: 1 } })).kind).toBe('tasks');
    });
  });

  it('takes classes of one image, and none held out', async () => {
    await withClasses({ ...(await pictures({ a: 4 })), 'b/only.png': await picture(77) }, async (run) => {
      const published = await run({ totalImages: 3, holdout: 0 });
      expect(published.get('survey')!.map(({ manifest }) => curveOf(manifest).map(({ k }) => k))).toEqual([
        [1, 2],
        [1],
      ]);
      expect(curveOf(published.get('survey')![1]!.manifest)).toEqual([
        { k: 1, distortion: 0, heldoutDistortion: null, w2: 0, spread: 0 },
      ]);
      expect(metricsOf(published, 'quantize').map(({ k }) => k)).toEqual([2, 1]);
    });
  });
});

it('tells how far the survey is, and ends when it is cancelled', async () => {
  await withClasses(await pictures({ a: 20 }), async (run, chain) => {
    const { task } = (await run({ imagesPerClass: 8, survey: { mode: 'ON' } })).get('survey')![0]!;
    const told: number[] = [];
    const stop = new AbortController();
    const context = (onProgress: (done: number) => void) =>
      ({
        projectId: 'p',
        store: chain.store,
        runtime: { product: plainProduct },
        signal: stop.signal,
        onProgress,
      }) as unknown as WorkContext;
    await survey.run(
      task,
      context((done) => told.push(done)),
    );
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(20);
    const cancelled = survey.run(
      task,
      context(() => stop.abort()),
    );
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('totalImages', () => {
  it('is kept exactly, goes to whom it serves, and is on everything that the run hands out', async () => {
    // Class a is one picture over and over: a single point is all it needs.
    const flat = Object.fromEntries(await Promise.all(range(20).map(async (i) => [`a/${i}.png`, await repeated(i)])));
    await withClasses({ ...flat, ...(await pictures({ b: 20, c: 20 })) }, async (run, chain) => {
      const published = await run({ totalImages: 13, weights: { exponent: 0.5 } });
      const points = metricsOf(published, 'quantize').map(({ k }) => k!);
      expect(points.reduce((sum, k) => sum + k, 0)).toBe(13);
      expect(points[0]).toBe(1);
      expect(Math.min(...points)).toBeGreaterThanOrEqual(1);
      expect(metricsOf(published, 'decode').map(({ images }) => images)).toEqual(points);
      const [dataset, page] = published.get('report')!;
      expect(dataset!.manifest.metrics['images']).toBe(13);
      expect(page!.manifest.content['title']).toBe(`3 classes, 1 to ${Math.max(...points)} images each, 13 in all`);
      expect(page!.manifest.inputs).toEqual(expect.arrayContaining(ids(published, 'survey')));
      expect(dataset!.manifest.inputs).not.toEqual(expect.arrayContaining(ids(published, 'survey')));
      const text = async (name: string) => {
        const blob = dataset!.manifest.blobs[name]!;
        return new TextDecoder().decode(await chain.store.get(`projects/p/blobs/${blob.sha256}`));
      };
      expect(await text('README.md')).toContain(`a (${points[0]}), b (${points[1]}), c (${points[2]})`);
      const manifest = JSON.parse(await text('manifest.json')) as { recipe: object };
      expect(manifest).toMatchObject({ pointsPerClass: points, recipe: { totalImages: 13 } });
      expect(manifest.recipe).not.toHaveProperty('imagesPerClass');
    });
  });

  it('is divided evenly over classes with the same images', async () => {
    const same = await pictures({ a: 24 });
    const twice = Object.fromEntries(
      Object.entries(same).flatMap(([path, bytes]) => [
        [path, bytes],
        [join('b', path.slice(2)), bytes],
      ]),
    );
    await withClasses(twice, async (run) => {
      const published = await run({ totalImages: 10, holdout: 0 });
      const [a, b] = published.get('survey')!.map(({ manifest }) => curveOf(manifest));
      expect(b).toEqual(a);
      expect(metricsOf(published, 'quantize').map(({ k }) => k)).toEqual([5, 5]);
    });
  });

  it('goes with CLVQ, whose figures say what they are of', async () => {
    await withClasses(await pictures({ a: 60, b: 40 }), async (run) => {
      const quantizer = { algorithm: 'CLVQ', passes: 2 };
      const published = await run({ totalImages: 9, quantizer, decoder: { start: 'MEDOID' } });
      const metrics = metricsOf(published, 'quantize');
      expect(metrics.reduce((sum, { k }) => sum + k!, 0)).toBe(9);
      for (const one of metrics) {
        expect(one['w2Weighted']! ** 2).toBeCloseTo(one['distortion']!, 9);
        expect(one['w2UniformN']).toBe(one['trainN']);
        expect(one['restartSpread']).toBeUndefined();
      }
      // Compared with as many points each, on the same latents.
      metricsOf(published, 'compare').forEach((row, c) => {
        expect(row['comparedN']).toBe(metrics[c]!['trainN']);
        expect(row['reductionBalanced']).toBeCloseTo(1 - metrics[c]!['w2Weighted']! / row['w2Balanced']!, 9);
      });
      expect(metricsOf(published, 'decode').map(({ images }) => images)).toEqual(metrics.map(({ k }) => k));
      // What the algorithm does not read is no part of the identity.
      const again = await run({ totalImages: 9, quantizer: { ...quantizer, restarts: 50 } });
      expect(ids(again, 'quantize')).toEqual(ids(published, 'quantize'));
    });
  });
});

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** The same pixels in files of different digests. */
async function repeated(i: number): Promise<Uint8Array> {
  const png = await picture(500);
  return Buffer.concat([png, Buffer.from(`trailing ${i}`)]);
}
