import fc from 'fast-check';
import { expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { chosenRows, rowsOf } from '../../../src/numerics/math/rows.ts';
import { pointsOf } from '../support.ts';

it('chooses so many different rows, and those of a smaller choice among them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 80 }), fc.nat(), fc.nat({ max: 1000 }), (n, pick, seed) => {
      const random = randomStream({ seed, classIndex: 0, purpose: 'rows' });
      const count = pick % (n + 1);
      const rows = chosenRows(n, count, random);
      expect(rows).toHaveLength(count);
      rows.forEach((row, i) => expect(row).toBeGreaterThan(i === 0 ? -1 : rows[i - 1]!));
      expect(count === 0 || rows.at(-1)! < n).toBe(true);
      const fewer = chosenRows(n, Math.floor(count / 2), random);
      expect([...fewer].every((row) => rows.includes(row))).toBe(true);
      expect(chosenRows(n, n + 3, random)).toEqual(Int32Array.from({ length: n }, (_, i) => i));
    }),
  );
});

it('copies rows in the order asked for', () => {
  const points = pointsOf([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const picked = rowsOf(points, Int32Array.from([2, 0, 2]));
  expect(picked).toEqual({ values: Float32Array.from([5, 6, 1, 2, 5, 6]), n: 3, d: 2 });
  picked.values[0] = 9;
  expect(points.values[4]).toBe(5);
});
