import { describe, expect, it } from 'vitest';
import { toLine } from './bench.ts';
import { interleavedMs, median, medianInterval } from './measure.ts';

describe('a line of a bench', () => {
  const base = { case: 'one', target: 2 };

  it('compares times with the fastest peer, rates with the highest', () => {
    expect(toLine('x', { ...base, unit: 'ms', ours: 10, peers: { slow: 90, fast: 30 } })).toEqual({
      bench: 'x',
      case: 'one',
      unit: 'ms',
      ours: 10,
      peers: { slow: 90, fast: 30 },
      ratio: 3,
      target: 2,
      met: true,
    });
    expect(toLine('x', { ...base, unit: 'images/s', ours: 30, peers: { a: 10, b: 20 } })).toMatchObject({
      ratio: 1.5,
      met: false,
    });
  });

  it('is 1 or 0 for a count, and keeps the fields of quality', () => {
    const count = { ...base, target: 1, unit: 'count', peers: { limit: 5 } };
    expect(toLine('x', { ...count, ours: 5, distortion: 0.5 })).toMatchObject({ ratio: 1, met: true, distortion: 0.5 });
    expect(toLine('x', { ...count, ours: 6 })).toMatchObject({ ratio: 0, met: false });
  });
});

describe('measuring', () => {
  it('takes medians', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('gives the order statistics of the sign test', () => {
    // n = 10: P(X <= 1) = 11 / 1024 = 0.0107, P(X <= 2) = 0.0547, so the second and the ninth.
    const ten = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    expect(medianInterval(ten)).toEqual({ median: 5.5, low: 2, high: 9 });
    expect(medianInterval([6, 5, 4, 3, 2, 1])).toEqual({ median: 3.5, low: 1, high: 6 });
    expect(() => medianInterval([1, 2, 3, 4, 5])).toThrow(RangeError);
  });

  it('calls in turns, and does not count the first', async () => {
    const calls: string[] = [];
    const times = await interleavedMs({ a: () => calls.push('a'), b: () => calls.push('b') }, { turns: 2 });
    expect(calls.join('')).toBe('ababab');
    expect(Object.keys(times)).toEqual(['a', 'b']);
  });
});
