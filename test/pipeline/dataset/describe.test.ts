import { describe, expect, it } from 'vitest';
import { classBalance } from '../../../src/pipeline/dataset/balance.ts';
import { describeImages, describeSource } from '../../../src/pipeline/dataset/describe.ts';

const images = (counts: Record<string, number>, withinClass = 0, acrossClasses = 0, bytes = 120_060_000) => {
  const classes = Object.entries(counts).map(([name, of]) => ({ name, images: of }));
  const total = classes.reduce((sum, one) => sum + one.images, 0);
  return describeImages({
    images: total,
    bytes,
    balance: classBalance(classes),
    duplicates: { withinClass, acrossClasses },
  });
};

describe('in words', () => {
  it('are the images, how even the classes are, and what occurs twice', () => {
    expect(images({ a: 5000, b: 5000 })).toBe('10,000 images (120.1 MB) of 2 classes, 5,000 in each; no duplicates');
    expect(images({ a: 1 }, 0, 0, 999)).toBe('1 image (999 bytes) of 1 class; no duplicates');
    expect(images({ cat: 40, dog: 5000, eel: 960 }, 1200, 3)).toBe(
      '6,000 images (120.1 MB) of 3 classes, from 40 (cat) to 5,000 (dog), 125 to 1, as even as 1.6 classes; duplicates: 1,200 within classes, 3 across classes',
    );
  });

  it('tell classes that are nearly even from ones that are', () => {
    expect(images({ A: 26, B: 25 })).toBe(
      '51 images (120.1 MB) of 2 classes, from 25 (B) to 26 (A), 1.0 to 1, as even as 2.0 classes; no duplicates',
    );
    expect(images({ A: 5000, B: 3000 })).toContain('from 3,000 (B) to 5,000 (A), 1.7 to 1, as even as 1.9 classes');
    expect(images({ A: 12_345, B: 1000 })).toContain('12 to 1');
  });

  it('is the source', () => {
    const of = { format: 'tar.gz', split: null, splits: [], ignored: { count: 0, examples: [] } };
    expect(describeSource(of)).toBe('tar.gz');
    expect(describeSource({ ...of, split: 'train', splits: ['train'] })).toBe('tar.gz, split train');
    const ignored = { count: 7, examples: ['a.heic', 'b.psd'] };
    expect(describeSource({ ...of, split: 'test', splits: ['test', 'train'], ignored })).toBe(
      'tar.gz, split test (others: train); passed over 7 files (a.heic, b.psd, ...)',
    );
  });
});
