import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { SmallestKeys, samplingKeys } from '../../../src/pipeline/drift/sampling.ts';

const images = Array.from({ length: 400 }, (_, i) => sha256(`image ${i}`));

function sampled(of: readonly string[], size: number, seed = 0): string[] {
  const smallest = new SmallestKeys(size, seed);
  for (const image of of) smallest.add(image);
  return smallest.images();
}

describe('SmallestKeys', () => {
  it('has the images with the smallest keys, in the order of their digests, whatever order they came in and how often', () => {
    fc.assert(
      fc.property(
        fc.subarray(images),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 9 }),
        (some, size, seed) => {
          const keyOf = samplingKeys(seed);
          const expected = [...some]
            .sort((a, b) => keyOf(a) - keyOf(b))
            .slice(0, size)
            .sort();
          expect(sampled([...some].reverse(), size, seed)).toEqual(expected);
          expect(sampled([...some, ...some], size, seed)).toEqual(expected);
        },
      ),
    );
  });

  it('takes every image as often, and others with another seed', () => {
    const counts = new Map(images.map((image) => [image, 0]));
    for (let seed = 0; seed < 200; seed++)
      for (const image of sampled(images, 100, seed)) counts.set(image, counts.get(image)! + 1);
    // 200 draws of a quarter: 50 with a deviation of 6.1, and 400 of them
    for (const count of counts.values()) expect(Math.abs(count - 50)).toBeLessThan(27);
    expect(sampled(images, 100, 1)).not.toEqual(sampled(images, 100, 2));
  });
});
