import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { rounded } from '../../../src/numerics/quantize/rounded.ts';
import { seedGreedily } from '../../../src/numerics/quantize/seeding.ts';
import { spaceOf } from '../../../src/numerics/quantize/space.ts';
import { cloud, gridPoints, product, roughProduct, squared } from '../support.ts';

const streams = (count: number) =>
  Array.from({ length: count }, (_, item) => randomStream({ seed: 1, classIndex: 0, purpose: 'seeding', item }));

const seed = (points: Points, k: number, starts = 1, anyProduct = product) =>
  seedGreedily(spaceOf(rounded(points), anyProduct), k, streams(starts));

describe('seedGreedily', () => {
  it('takes distinct samples while there are any, and knows the nearest of each', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 6 }), async (points, wanted) => {
        const k = Math.min(wanted, points.n);
        const [seeding] = await seed(points, k);
        const samples = rounded(points);
        const rows = Array.from({ length: points.n }, (_, i) =>
          Array.from(samples.values.subarray(i * points.d, (i + 1) * points.d), (x) => x + 0).join(),
        );
        const distinct = new Set(rows).size;
        expect(new Set(seeding!.assignment).size).toBe(Math.min(k, distinct));
        if (k >= distinct) expect(seeding!.potential).toBe(0);
      }),
    );
  });

  it('seeds many starts as it seeds one, by any product', async () => {
    const points = cloud(120, 20);
    const together = await seed(points, 9, 4);
    for (const [s, stream] of streams(4).entries()) {
      const alone = (await seedGreedily(spaceOf(rounded(points), roughProduct), 9, [stream]))[0];
      expect(together[s]).toEqual(alone);
    }
  });

  it('leaves less distortion than samples drawn at random', async () => {
    const points = cloud(400, 8, 3, 10);
    const samples = rounded(points);
    const greedy = (await seed(points, 10, 10)).reduce((total, { potential }) => total + potential, 0);
    let blind = 0;
    for (let item = 0; item < 10; item++)
      for (let i = 0; i < 400; i++)
        blind += Math.min(...Array.from({ length: 10 }, (_, c) => squared(samples, i, samples, item * 10 + c)));
    expect(greedy).toBeLessThan(blind);
  });

  it.each([
    ['is not finite', (x: number) => x * NaN],
    ['is of half precision', (x: number) => Math.fround(Math.round(x / 4096) * 4096)],
  ])('refuses a product that %s', async (_, spoil) => {
    const broken: typeof product = async (...all) => (await product(...all)).map(spoil);
    await expect(seed(cloud(40, 3), 3, 1, broken)).rejects.toMatchObject({ code: 'NON_FINITE' });
  });
});
