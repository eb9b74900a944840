import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { color, crop, cutout, dsa, flip, rotate, scale, type Change } from '../../../src/numerics/training/images.ts';
import { mixed } from '../../../src/numerics/training/mixing.ts';
import { epochOrder } from '../../../src/numerics/training/order.ts';
import { PROTOCOLS } from '../../../src/numerics/training/protocol.ts';
import { rateFactor } from '../../../src/numerics/training/schedule.ts';

const stream = (item: number, seed = 5) => randomStream({ seed, classIndex: 0, purpose: 'training test', item });
const shape = { channels: 3, height: 16, width: 16 };
const SIZE = 3 * 256;
const picture = (item: number) => stream(item).normals(SIZE);
const changed = (change: Change, item: number, image = picture(1)) => {
  const own = image.slice();
  change(own, shape, stream(item));
  return own;
};

describe('schedules', () => {
  it('step down once', () => {
    const factors = Array.from({ length: 6 }, (_, e) => rateFactor({ kind: 'step', at: 0.5, factor: 0.1 }, e, 6));
    expect(factors).toEqual([1, 1, 1, 0.1, 0.1, 0.1]);
  });

  it('follow a cosine to zero, or to half', () => {
    expect(rateFactor({ kind: 'cosine', stretch: 1 }, 0, 10)).toBe(1);
    expect(rateFactor({ kind: 'cosine', stretch: 1 }, 10, 10)).toBeCloseTo(0, 12);
    // RDED's: 0.5 (1 + cos(pi e / 2E)).
    expect(rateFactor({ kind: 'cosine', stretch: 2 }, 150, 300)).toBeCloseTo(0.5 * (1 + Math.cos(Math.PI / 4)), 12);
    expect(rateFactor({ kind: 'cosine', stretch: 2 }, 300, 300)).toBeCloseTo(0.5, 12);
  });
});

describe('protocols', () => {
  it('have the batch of RDED by images per class', () => {
    expect([1, 10, 50].map((imagesPerClass) => PROTOCOLS.rded({ imagesPerClass }).batch)).toEqual([10, 50, 100]);
  });

  it('train longer with DSA', () => {
    expect([PROTOCOLS.hard({ dsa: false }).epochs, PROTOCOLS.hard({ dsa: true }).epochs]).toEqual([300, 1000]);
    expect(PROTOCOLS.d4m()).toMatchObject({
      mixing: { kind: 'mixup', concentration: 0.8 },
      labels: { temperature: 30 },
    });
  });
});

describe('orders of epochs', () => {
  it('are permutations that differ, and follow from seed and epoch', () => {
    const [first, second, other] = [epochOrder(1, 0, 50), epochOrder(1, 1, 50), epochOrder(2, 0, 50)];
    for (const order of [first, second, other]) expect([...order].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(first).not.toEqual(second);
    expect(first).not.toEqual(other);
    expect(epochOrder(1, 0, 50)).toEqual(first);
  });

  it('put every image everywhere', () => {
    const sums = new Float64Array(5);
    for (let epoch = 0; epoch < 4000; epoch++)
      epochOrder(3, epoch, 5).forEach((image, at) => (sums[image]! += at / 4000));
    for (const mean of sums) expect(Math.abs(mean - 2)).toBeLessThan(0.1);
  });
});

describe('changes of images', () => {
  it.each<[string, Change]>([
    ['flip', flip],
    ['crop', crop],
    ['cutout', cutout],
    ['colour', color],
    ['scale', scale],
    ['rotate', rotate],
    ['dsa', dsa],
  ])('%s: follows from its numbers, and changes most images', (_, change) => {
    expect(changed(change, 7)).toEqual(changed(change, 7));
    const moved = Array.from({ length: 20 }, (_, item) => changed(change, item)).filter(
      (image) => !equal(image, picture(1)),
    );
    expect(moved.length).toBeGreaterThan(5);
    for (const image of moved) expect(image.every(Number.isFinite)).toBe(true);
  });

  it('flip mirrors rows, twice is none', () => {
    const item = Array.from({ length: 20 }, (_, i) => i).find((i) => stream(i).uniform(0) >= 0.5)!;
    const mirrored = changed(flip, item);
    expect(mirrored[0]).toBe(picture(1)[15]);
    expect(changed(flip, item, mirrored)).toEqual(picture(1));
  });

  it('crop moves by at most an eighth, the same for all channels', () => {
    const single = new Float32Array(SIZE);
    for (let c = 0; c < 3; c++) single[c * 256 + 8 * 16 + 8] = 1 + c;
    for (let item = 0; item < 30; item++) {
      const found = [...changed(crop, item, single).entries()].filter(([, value]) => value !== 0);
      expect(found.map(([, value]) => value)).toEqual([1, 2, 3]);
      const [y, x] = [Math.floor((found[0]![0] % 256) / 16), found[0]![0] % 16];
      expect(Math.max(Math.abs(y - 8), Math.abs(x - 8))).toBeLessThanOrEqual(2);
      expect(found.map(([at]) => at % 256)).toEqual(Array(3).fill(found[0]![0] % 256));
    }
  });

  it('cutout takes up to a quarter of the places, a corner at least', () => {
    for (let item = 0; item < 30; item++) {
      const gone = changed(cutout, item, new Float32Array(SIZE).fill(1)).filter((value) => value === 0).length / 3;
      expect(gone).toBeGreaterThanOrEqual(16);
      expect(gone).toBeLessThanOrEqual(64);
    }
  });

  it('scale and rotate leave the centre where it is', () => {
    const odd = { channels: 1, height: 9, width: 9 };
    for (const change of [scale, rotate])
      for (let item = 0; item < 10; item++) {
        const image = Float32Array.from({ length: 81 }, (_, i) => Number(i === 40));
        change(image, odd, stream(item));
        expect(image[40]).toBeCloseTo(1, 5);
      }
  });
});

describe('mixing', () => {
  const n = 6;
  const batch = (images: Float32Array) => ({
    images,
    targets: Float32Array.from({ length: n * n }, (_, i) => Number(Math.floor(i / n) === i % n)),
    weights: Float32Array.from({ length: n }, (_, i) => i + 0.5),
  });
  // Image i is i all over: what is mixed tells from where it is.
  const flat = batch(Float32Array.from({ length: n * SIZE }, (_, i) => Math.floor(i / SIZE)));

  it.each(['cutmix', 'mixup'] as const)('%s: mixes images, labels and weights in one proportion', (kind) => {
    fc.assert(
      fc.property(fc.nat({ max: 500 }), (item) => {
        const { images, targets, weights, share } = mixed(flat, shape, { kind, concentration: 0.8 }, stream(item));
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
        for (let i = 0; i < n; i++) {
          const row = targets.subarray(i * n, (i + 1) * n);
          expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
          const label = row.reduce((sum, value, k) => sum + value * k, 0);
          expect(weights[i]!).toBeCloseTo(label + 0.5, 4);
          const mean = images.subarray(i * SIZE, (i + 1) * SIZE).reduce((sum, value) => sum + value, 0) / SIZE;
          expect(mean).toBeCloseTo(label, 3);
        }
        // Every image is once a partner.
        expect(weights.reduce((sum, value) => sum + value, 0)).toBeCloseTo(18, 3);
      }),
      { numRuns: 50 },
    );
  });

  it('cutmix pastes one rectangle, mixup blends every place', () => {
    const { images: cut } = mixed(flat, shape, { kind: 'cutmix', concentration: 1 }, stream(3));
    expect([...cut].every(Number.isInteger)).toBe(true);
    const { images: blend, share } = mixed(flat, shape, { kind: 'mixup', concentration: 1 }, stream(3));
    expect(share).toBeGreaterThan(0);
    expect(new Set(blend.subarray(0, SIZE)).size).toBe(1);
  });

  it.each([0.8, 1, 2])('draws shares from a beta distribution (%d)', (concentration) => {
    const shares = Array.from(
      { length: 4000 },
      (_, item) => mixed(flat1, one, { kind: 'mixup', concentration }, stream(item)).share,
    );
    const mean = shares.reduce((sum, value) => sum + value, 0) / shares.length;
    const variance = shares.reduce((sum, value) => sum + (value - mean) ** 2, 0) / shares.length;
    expect(mean).toBeCloseTo(0.5, 1);
    // 1 / (4 (2 a + 1))
    expect(Math.abs(variance / (1 / (4 * (2 * concentration + 1))) - 1)).toBeLessThan(0.1);
  });
  const one = { channels: 1, height: 1, width: 1 };
  const flat1 = { images: new Float32Array(2), targets: new Float32Array(2), weights: new Float32Array(2) };
});

const equal = (a: Float32Array, b: Float32Array): boolean => a.every((value, i) => value === b[i]);
