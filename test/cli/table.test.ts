import { expect, it } from 'vitest';
import { bytes, count, dollars, percent, seconds, table } from '../../src/cli/table.ts';

it('aligns text to the left and numbers to the right', () => {
  const rows = [
    ['airplane', '5,000'],
    ['cat', '12'],
  ];
  expect(table(['class', 'n'], rows)).toBe(
    ['class         n', '────────  ─────', 'airplane  5,000', 'cat          12'].join('\n'),
  );
  expect(
    table(
      ['', 'what', 'cost'],
      [
        ['a', 'codebook', '-'],
        ['b', '12 images', '$0.5'],
      ],
    )
      .split('\n')
      .slice(2),
  ).toEqual(['a  codebook      -', 'b  12 images  $0.5']);
});

it.each([
  [count(1234567), '1,234,567'],
  [bytes(0), '0 B'],
  [bytes(999), '999 B'],
  [bytes(1000), '1.0 kB'],
  [bytes(999_949), '999.9 kB'],
  [bytes(999_999), '1.0 MB'],
  [bytes(3.5e9), '3.5 GB'],
  [percent(0.0239), '2.39%'],
  [dollars(0), '$0.0000'],
  [dollars(0.000135), '$0.000135'],
  [dollars(1.5), '$1.5000'],
  [seconds(5.46), '5.5 s'],
  [seconds(245), '4 min 05 s'],
])('%s reads %s', (shown, expected) => {
  expect(shown).toBe(expected);
});
