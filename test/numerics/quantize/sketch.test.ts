import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { rounded } from '../../../src/numerics/quantize/rounded.ts';
import { sketchOf } from '../../../src/numerics/quantize/sketch.ts';
import { bytes, cloud, pointsOf, product, roughProduct, squared } from '../support.ts';

const random = randomStream({ seed: 3, classIndex: 0, purpose: 'sketch' });
const sketched = (points: Points, anyProduct = product) => sketchOf(rounded(points), random, anyProduct);

describe('sketchOf', () => {
  it('contracts distances, and says how much variance it leaves out', async () => {
    const points = cloud(200, 120);
    const sketch = (await sketched(points))!;
    expect(sketch.d).toBeLessThan(120);
    let all = 0;
    let seen = 0;
    for (let i = 0; i < 200; i++)
      for (let e = 0; e < i; e++) {
        const before = squared(points, i, points, e);
        const after = squared(sketch, i, sketch, e) / sketch.scale ** 2;
        expect(after).toBeLessThanOrEqual(before * 1.01);
        all += before;
        seen += after;
      }
    // Distances of pairs average twice the variance; the origin is the mean of all, since they are few.
    const leftOut = (all - seen) / 200 ** 2;
    expect(sketch.leftOut / leftOut).toBeCloseTo(1, 1);
  });

  it('keeps what lies in few directions', async () => {
    const flat = cloud(150, 8);
    const turn = randomStream({ seed: 4, classIndex: 0, purpose: 'turn' }).normals(8 * 100);
    const values = new Float32Array(150 * 100);
    for (let i = 0; i < 150; i++)
      for (let a = 0; a < 8; a++)
        for (let j = 0; j < 100; j++) values[i * 100 + j]! += flat.values[i * 8 + a]! * turn[a * 100 + j]!;
    const points = { values, n: 150, d: 100 };
    const sketch = (await sketched(points))!;
    let error = 0;
    let total = 0;
    for (let i = 1; i < 150; i++) {
      const before = squared(points, 0, points, i);
      error += Math.abs(squared(sketch, 0, sketch, i) / sketch.scale ** 2 - before);
      total += before;
    }
    expect(error).toBeLessThan(0.02 * total);
  });

  it('has the same bytes with any product', async () => {
    const points = cloud(130, 90, 2);
    const [a, b] = await Promise.all([sketched(points), sketched(points, roughProduct)]);
    expect(bytes(a!.values)).toBe(bytes(b!.values));
    expect(a!.leftOut).toBe(b!.leftOut);
  });

  it('is none where it would not pay or could hide an outlier', async () => {
    expect(await sketched(cloud(200, 20))).toBeNull();
    expect(await sketched(cloud(20, 200))).toBeNull();
    expect(await sketched(pointsOf(new Array<number[]>(100).fill(new Array<number>(100).fill(3))))).toBeNull();
    const far = cloud(200, 100);
    for (let j = 0; j < 100; j++) far.values[j]! *= 1e3;
    expect(await sketched(far)).toBeNull();
  });
});
