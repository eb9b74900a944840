import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainProduct } from '../../../src/numerics/math/product.ts';

const matrix = (length: number) => fc.array(fc.integer({ min: -9, max: 9 }), { minLength: length, maxLength: length });

describe('plainProduct', () => {
  it('is the definition, transposed or not', async () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 7 }),
    );
    const cases = sizes.chain(([m, k, n]) => fc.tuple(fc.constant({ m, k, n }), matrix(m * k), matrix(k * n)));
    await fc.assert(
      fc.asyncProperty(cases, async ([{ m, k, n }, a, b]) => {
        const expected = Array.from({ length: m * n }, (_, p) =>
          Array.from({ length: k }, (_, l) => a[Math.floor(p / n) * k + l]! * b[l * n + (p % n)]!).reduce(
            (x, y) => x + y,
          ),
        );
        const bTransposed = Array.from({ length: n * k }, (_, p) => b[(p % k) * n + Math.floor(p / k)]!);
        const left = Float32Array.from(a);
        expect(Array.from(await plainProduct(left, Float32Array.from(b), { m, k, n }), (x) => x + 0)).toEqual(
          expected.map((x) => x + 0),
        );
        const shape = { m, k, n, transposeB: true };
        expect(Array.from(await plainProduct(left, Float32Array.from(bTransposed), shape), (x) => x + 0)).toEqual(
          expected.map((x) => x + 0),
        );
      }),
    );
  });

  it('gives a row the same bytes in any batch', async () => {
    const k = 33;
    const a = Float32Array.from({ length: 5 * k }, (_, i) => Math.sqrt(i));
    const b = Float32Array.from({ length: 3 * k }, (_, i) => 1 / (i + 1));
    const whole = await plainProduct(a, b, { m: 5, k, n: 3, transposeB: true });
    for (let i = 0; i < 5; i++) {
      const row = await plainProduct(a.slice(i * k, (i + 1) * k), b, { m: 1, k, n: 3, transposeB: true });
      expect(Array.from(row)).toEqual(Array.from(whole.subarray(i * 3, i * 3 + 3)));
    }
  });

  it('refuses lengths that do not fit, and stops when asked', async () => {
    const a = new Float32Array(6);
    await expect(plainProduct(a, a, { m: 2, k: 3, n: 3 })).rejects.toThrow('expected 6 and 9 values, got 6 and 6');
    await expect(plainProduct(a, a, { m: 2, k: 3, n: 2 }, AbortSignal.abort())).rejects.toThrow('cancelled');
  });
});
