import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/numerics/math/sum.ts';
import { inUnits, wholeSamples } from '../../../src/numerics/transport/masses.ts';

const parts = fc
  .array(fc.oneof(fc.constant(0), fc.double({ min: 1e-12, max: 1, noNaN: true })), { minLength: 1, maxLength: 9 })
  .filter((all) => sum(all) > 0);

describe('masses in units', () => {
  it('sum to the total exactly, are within one of their shares, and none goes to zeros', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 2 ** 50 }), (all, total) => {
        const shares = Float64Array.from(all, (part) => part / sum(all));
        const units = inUnits(shares, total);
        expect(sum(units)).toBe(total);
        units.forEach((count, c) => {
          expect(Number.isInteger(count) && count >= 0).toBe(true);
          expect(Math.abs(count - shares[c]! * total)).toBeLessThanOrEqual(1 + total * 1e-15);
          if (shares[c] === 0) expect(count).toBe(0);
        });
      }),
    );
  });

  it('are whole samples where shares are, up to rounding', () => {
    expect(wholeSamples(new Float64Array(3).fill(1 / 3), 9)).toEqual(Float64Array.of(3, 3, 3));
    expect(wholeSamples(Float64Array.of(0.1, 0.2, 0.7), 10)).toEqual(Float64Array.of(1, 2, 7));
    expect(wholeSamples(Float64Array.of(0.15, 0.15, 0.7), 10)).toBeNull();
  });
});
