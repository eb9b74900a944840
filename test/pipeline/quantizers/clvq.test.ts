import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { plainProduct } from '../../../src/numerics/math/product.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { rowsOf } from '../../../src/numerics/math/rows.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { medoids } from '../../../src/numerics/quantize/medoids.ts';
import { type LatentStream, openLatents } from '../../../src/pipeline/latent-stream.ts';
import { readClass } from '../../../src/pipeline/latents.ts';
import { type ModelRuntime } from '../../../src/pipeline/ports.ts';
import { quantizeByClvq, SAMPLE } from '../../../src/pipeline/quantizers/clvq.ts';
import { quantizeByLloyd } from '../../../src/pipeline/quantizers/lloyd.ts';
import { rowsWith, splitLatents } from '../../../src/pipeline/training.ts';
import { publishLatents } from '../../support/latents.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const runtime = { product: plainProduct } as ModelRuntime;
const contextOf = (signal = new AbortController().signal, onProgress = (_done: number) => {}) => ({
  runtime,
  signal,
  onProgress,
});
const options = { k: 5, passes: 3, holdout: 0.1, seed: 3, label: 0 };

/** Five modes of different mass in four dimensions. */
const latentOf = (i: number): number[] => {
  const random = randomStream({ seed: 9, classIndex: 0, purpose: 'modes', item: i });
  const mode = Math.floor(random.uniform(0) ** 2 * 5);
  return [0, 1, 2, 3].map((j) => 3 * Math.cos(2 * mode + j) + random.normal(4 + j));
};
const samples = Array.from({ length: 2600 }, (_, i) => ({ digest: sha256(`image ${i}`), latent: latentOf(i) }));

describe('CLVQ', () => {
  it('gives the same points, weights and figures whatever the chunks', async () => {
    const cuts = [[samples], [samples.slice(0, 900), samples.slice(900, 901), samples.slice(901)]];
    const made = [];
    for (const parts of cuts) {
      const store = createMemoryStore();
      const stream = await openLatents(store, 'p', await publishLatents(store, parts));
      made.push(await quantizeByClvq(stream, options, contextOf()));
    }
    expect(made[1]).toEqual(made[0]);
    expect(made[0]!.metrics['n']).toBe(2600);
  });

  it('measures its points exactly, and comes near to the search that holds all latents', async () => {
    const store = createMemoryStore();
    const ids = await publishLatents(store, [samples]);
    const made = await quantizeByClvq(await openLatents(store, 'p', ids), options, contextOf());
    const latents = await readClass(store, 'p', ids);
    const { training, heldOut, isHeldOut } = splitLatents(latents, options);
    const [seen, unseen] = [
      await nearestCentroids(training, made.centroids, { product: plainProduct }),
      await nearestCentroids(heldOut, made.centroids, { product: plainProduct }),
    ];
    expect(made.isHeldOut).toEqual(isHeldOut);
    expect(made.assignment).toEqual(seen.assignment);
    expect(Array.from(made.counts)).toEqual([0, 1, 2, 3, 4].map((c) => seen.assignment.filter((a) => a === c).length));
    const nearest = medoids(training, made.centroids, seen.assignment);
    const rows = rowsWith(isHeldOut, 0);
    expect(made.medoidSamples).toEqual(nearest.map((i) => rows[i]!));
    expect(made.medoids).toEqual(rowsOf(training, nearest));
    expect(made.metrics['distortion']).toBeCloseTo(seen.distortion, 12);
    expect(made.metrics['heldoutDistortion']).toBeCloseTo(unseen.distortion, 12);
    // The sample is the whole class here, so the reduction is that of the exact figures.
    expect(made.metrics['w2UniformN']).toBe(training.n);
    const { w2Weighted, w2Uniform, reduction } = made.metrics as Record<string, number>;
    expect(reduction).toBeCloseTo(1 - w2Weighted! / w2Uniform!, 9);
    const whole = await quantizeByLloyd(latents, { ...options, restarts: 5, maxIterations: 300 }, contextOf());
    expect(made.metrics['distortion']).toBeLessThan(1.2 * whole.metrics['distortion']!);
    expect(made.metrics['distortion']).toBeGreaterThan((1 - 1e-9) * whole.metrics['distortion']!);
  });

  it('holds no more latents of a larger class', async () => {
    // A sample for the figures, and a batch that nobody has let go of yet.
    for (const n of [10_000, 30_000]) {
      const most = await mostAlive(n);
      expect(most).toBeGreaterThanOrEqual(SAMPLE);
      expect(most).toBeLessThanOrEqual(1.5 * SAMPLE);
    }
  }, 60_000);

  it('ends when it is cancelled, and tells how far it is', async () => {
    const stop = new AbortController();
    const told: number[] = [];
    const stream = counted(20_000);
    const done = quantizeByClvq(
      stream,
      options,
      contextOf(stop.signal, (so) => told.push(so) > 4 && stop.abort()),
    );
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(told).toHaveLength(5);
    told.forEach((so, i) => expect(so).toBeGreaterThan(i === 0 ? 0 : told[i - 1]!));
    await quantizeByClvq(
      counted(3000),
      options,
      contextOf(undefined, (so) => told.push(so)),
    );
    expect(told.at(-1)).toBe(3000);
  });
});

const known = samples.map(({ latent }) => latent);

/** A class of so many latents, made as they are read. */
function counted(n: number): LatentStream {
  return {
    n,
    d: 4,
    shape: [1, 2, 2],
    imageDigests: new Uint8Array(8 * n),
    read: async (rows) => {
      const values = new Float32Array(4 * rows.length);
      rows.forEach((row, at) => values.set(known[row % known.length]!, 4 * at));
      return { values, n: rows.length, d: 4 };
    },
  };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The largest number of latents that were read and not let go, while a class of n is quantized. */
async function mostAlive(n: number): Promise<number> {
  const read: WeakRef<Float32Array>[] = [];
  let most = 0;
  const stream = counted(n);
  const watched: LatentStream = {
    ...stream,
    async read(rows) {
      const points = await stream.read(rows);
      read.push(new WeakRef(points.values));
      // A reference that was looked at lives on until the turn of the event loop ends.
      await new Promise((turned) => setImmediate(turned));
      collect();
      most = Math.max(
        most,
        read.reduce((sum, one) => sum + (one.deref()?.length ?? 0) / 4, 0),
      );
      return points;
    },
  };
  await quantizeByClvq(watched, { ...options, passes: 1, holdout: 0 }, contextOf());
  return most;
}
