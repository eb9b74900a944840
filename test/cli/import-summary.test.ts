import { expect, it } from 'vitest';
import { importSummary } from '../../src/cli/import-summary.ts';

const summary = ['4 images (1.0 kB) of 2 classes, 2 in each; no duplicates', 'folder'];

it('tells what was imported in a line each', () => {
  const told = importSummary({ id: 'dsv_1', classes: [{ name: 'cat' }, { name: 'dog' }], summary });
  expect(told).toBe(`\nDataset version dsv_1\n  ${summary[0]}\n  ${summary[1]}`);
});

it('points at classes that differ only by case', () => {
  const classes = ['Cat', 'Dog', 'cat', 'eel', 'E\u0301cu', '\u00c9cu'].map((name) => ({ name }));
  const told = importSummary({ id: 'dsv_1', classes, summary });
  expect(told).toContain('\nClasses that differ only by case are taken as different: Cat and cat; ');
});
