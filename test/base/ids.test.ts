import { describe, expect, it } from 'vitest';
import { newId } from '../../src/base/ids.ts';

describe('newId', () => {
  it('sorts by time and never repeats', () => {
    const ids = Array.from({ length: 200 }, (_, i) => newId('run', 1_700_000_000_000 + i));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(Array.from({ length: 1000 }, () => newId('run', 0))).size).toBe(1000);
    expect(ids[0]).toMatch(/^run_[0-9a-hjkmnp-tv-z]{26}$/);
  });
});
