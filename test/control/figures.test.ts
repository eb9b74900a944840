import { expect, it } from 'vitest';
import { classFigures, overallFigures } from '../../src/control/figures.ts';
import { type TaskView } from '../../src/control/views.ts';

const task = (stage: string, className: string | undefined, metrics: Record<string, number> | null) =>
  ({ stage, labels: className === undefined ? {} : { class: className }, metrics }) as unknown as TaskView;

it('figures of a class are those of all its tasks, in the order of the classes', () => {
  const figures = classFigures([
    task('quantize', 'b', { w2Weighted: 2, k: 3 }),
    task('compare', 'b', { w2Balanced: 2.5, reductionBalanced: 0.2 }),
    task('quantize', 'a', { w2Weighted: 4, k: 3, unknown: 7 }),
    task('compare', 'a', null),
    task('report', undefined, { k: 9 }),
  ]);
  expect(figures.map(({ className, k, w2Weighted, w2Balanced }) => [className, k, w2Weighted, w2Balanced])).toEqual([
    ['b', 3, 2, 2.5],
    ['a', 3, 4, null],
  ]);
  expect(figures[0]).not.toHaveProperty('unknown');
});

it('figures of classes come in the order of the quantizer, where a survey has some of them and was first', () => {
  const figures = classFigures([
    task('survey', 'c', { n: 10, quantizationRate: -0.2 }),
    task('quantize', 'a', null),
    task('quantize', 'b', { n: 8 }),
    task('survey', 'b', { n: 8, quantizationRate: -0.1 }),
    task('quantize', 'c', null),
  ]);
  expect(figures.map(({ className, n, quantizationRate }) => [className, n, quantizationRate])).toEqual([
    ['b', 8, -0.1],
    ['c', 10, -0.2],
  ]);
});

it('overall figures are means over the classes that have them', () => {
  const figures = classFigures([
    task('quantize', 'a', { w2Weighted: 2 }),
    task('quantize', 'b', { w2Weighted: 4 }),
    task('compare', 'b', { reductionD4m: 0.1 }),
  ]);
  expect(overallFigures(figures)).toMatchObject({ classes: 2, w2Weighted: 3, reductionD4m: 0.1, w2Balanced: null });
  expect(overallFigures([])).toBeNull();
});
