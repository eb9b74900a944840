import { describe, expect, it } from 'vitest';
import { gather } from '../../src/base/gather.ts';

describe('gathered questions', () => {
  it('are asked together, each after it was put, and none twice at a time', async () => {
    const asked: string[][] = [];
    const first = Promise.withResolvers<void>();
    const look = gather(async (keys: string[]) => {
      asked.push(keys);
      if (asked.length === 1) await first.promise;
      return new Map(keys.map((key) => [key, `${key}${asked.length}`]));
    }, 3);
    const early = Promise.all([look('a'), look('b'), look('a')]);
    await expect.poll(() => asked.length).toBe(1);
    const late = Promise.all(['a', 'c', 'd', 'e'].map(look));
    first.resolve();
    expect(await early).toEqual(['a1', 'b1', 'a1']);
    expect(await late).toEqual(['a2', 'c2', 'd2', 'e3']);
    expect(asked).toEqual([['a', 'b'], ['a', 'c', 'd'], ['e']]);
  });

  it('that fail, fail for those who asked; what is unknown is undefined', async () => {
    let fails = true;
    const look = gather(async (_: string[]) => {
      if (fails) throw new Error('away');
      return new Map<string, string>();
    });
    await expect(Promise.all([look('a'), look('b')])).rejects.toThrow('away');
    fails = false;
    expect(await look('a')).toBeUndefined();
  });
});
