import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { plainProduct as product } from '../../../src/numerics/math/product.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { wasserstein2 } from '../../../src/numerics/transport/wasserstein.ts';
import { readClass } from '../../../src/pipeline/latents.ts';
import { type ModelRuntime } from '../../../src/pipeline/ports.ts';
import { quantizeByLloyd } from '../../../src/pipeline/quantizers/lloyd.ts';
import { splitLatents } from '../../../src/pipeline/training.ts';
import { publishLatents, type Sample } from '../../support/latents.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const options = { k: 5, restarts: 6, maxIterations: 300, holdout: 0.1, seed: 3, label: 0 };
const context = { runtime: { product } as ModelRuntime, signal: new AbortController().signal, onProgress: () => {} };

/** Latents of one class, normal in four dimensions. */
const samples = Array.from({ length: 300 }, (_, i): Sample => {
  const { normals } = randomStream({ seed: 9, classIndex: 0, purpose: 'latents', item: i });
  return { digest: sha256(`image ${i}`), latent: [...normals(4)] };
});

async function latentsOf(...parts: Sample[][]) {
  const store = createMemoryStore();
  return await readClass(store, 'p', await publishLatents(store, parts));
}

describe('the search with all latents', () => {
  it('gives the same points, weights and figures whatever the chunks', async () => {
    const whole = await quantizeByLloyd(await latentsOf(samples), options, context);
    const cut = await latentsOf(samples.slice(0, 100), samples.slice(100, 101), samples.slice(101));
    expect(await quantizeByLloyd(cut, options, context)).toEqual(whole);
  });

  it('tells figures that transport and the nearest points confirm', async () => {
    const latents = await latentsOf(samples);
    const { training, heldOut } = splitLatents(latents, options);
    const { centroids, weights, metrics } = await quantizeByLloyd(latents, options, context);
    const w2 = async (of: typeof training, masses: Float64Array) => (await wasserstein2(of, centroids, masses)).w2;
    expect(metrics).toMatchObject({ n: 300, trainN: 270, heldoutN: 30, k: 5 });
    expect(metrics['w2Weighted']).toBeCloseTo(await w2(training, weights), 9);
    expect(metrics['w2Uniform']).toBeCloseTo(await w2(training, new Float64Array(5).fill(1 / 5)), 9);
    expect(metrics['heldoutW2']).toBeCloseTo(await w2(heldOut, weights), 9);
    expect(metrics['heldoutDistortion']).toBe((await nearestCentroids(heldOut, centroids, { product })).distortion);
  });

  it('tells how far apart restarts ended only where several did', async () => {
    const latents = await latentsOf(samples);
    for (const restarts of [1, 2, 10, 30]) {
      const { metrics } = await quantizeByLloyd(latents, { ...options, restarts }, context);
      expect(metrics['restartSpread'] !== undefined).toBe(metrics['convergedRestarts']! > 1);
    }
    const one = await quantizeByLloyd(latents, { ...options, restarts: 1 }, context);
    expect(one.metrics['convergedRestarts']).toBe(1);
    const many = await quantizeByLloyd(latents, { ...options, restarts: 30 }, context);
    expect(many.metrics['restartSpread']).toBeGreaterThan(0);
  });
});
