import { expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { chosenRows, rowsOf } from '../../../src/numerics/math/rows.ts';
import { pointsOf } from '../support.ts';

const random = randomStream({ seed: 1, classIndex: 0, purpose: 'test sample' });

it('chooses rows by their own numbers, so that more of them contain fewer', () => {
  const few = chosenRows(50, 5, random);
  const many = chosenRows(50, 20, random);
  expect(many).toHaveLength(20);
  expect(many).toEqual(many.toSorted());
  expect([...few].every((row) => many.includes(row))).toBe(true);
  expect(Array.from(chosenRows(3, 9, random))).toEqual([0, 1, 2]);
});

it('copies rows', () => {
  const points = pointsOf([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(rowsOf(points, Int32Array.of(2, 0))).toEqual(
    pointsOf([
      [5, 6],
      [1, 2],
    ]),
  );
});
