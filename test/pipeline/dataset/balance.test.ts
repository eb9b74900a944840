import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classBalance } from '../../../src/pipeline/dataset/balance.ts';

const counts = fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 50 });
const named = (images: number[]) => images.map((of, i) => ({ name: `c${i}`, images: of }));

describe('the balance of classes', () => {
  it('has the classes as many as they are where all are equal, and never more', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 1000 }), (images, equal) => {
        const { classes, effectiveClasses, imbalanceRatio } = classBalance(named(images));
        expect(classes).toBe(images.length);
        expect(effectiveClasses).toBeGreaterThanOrEqual(1 - 1e-9);
        expect(effectiveClasses).toBeLessThanOrEqual(classes * (1 + 1e-9));
        expect(imbalanceRatio).toBe(Math.max(...images) / Math.min(...images));
        const even = classBalance(named(images.map(() => equal)));
        expect(even.effectiveClasses).toBeCloseTo(classes, 9);
        expect(even.imbalanceRatio).toBe(1);
      }),
    );
  });

  it('does not depend on the order or the scale of the counts', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 2, max: 9 }), (images, scale) => {
        const once = classBalance(named(images));
        const other = classBalance(named([...images].reverse().map((of) => of * scale)));
        expect(other.effectiveClasses).toBeCloseTo(once.effectiveClasses, 6);
        expect(other.imbalanceRatio).toBeCloseTo(once.imbalanceRatio, 9);
        expect(other.largest.images).toBe(once.largest.images * scale);
      }),
    );
  });

  it('is that of the entropy: 2^1.75 classes for shares of 1/2, 1/4, 1/8, 1/8', () => {
    const { effectiveClasses, smallest, largest } = classBalance(named([4, 2, 1, 1]));
    expect(effectiveClasses).toBeCloseTo(2 ** 1.75, 12);
    expect([smallest, largest]).toEqual([
      { name: 'c2', images: 1 },
      { name: 'c0', images: 4 },
    ]);
  });
});
