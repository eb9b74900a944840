import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { skippedWithout } from './needed.ts';

beforeEach(() => void vi.spyOn(process.stderr, 'write').mockReturnValue(true));
afterEach(() => (vi.restoreAllMocks(), vi.unstubAllEnvs()));

it('skips tests for what a machine lacks, and says so', () => {
  vi.stubEnv('CI', undefined);
  expect([skippedWithout(null), skippedWithout('a server')]).toEqual([false, true]);
  expect(process.stderr.write).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('need a server'));
});

it('skips nothing in CI', () => {
  vi.stubEnv('CI', 'true');
  expect(skippedWithout(null)).toBe(false);
  expect(() => skippedWithout('a server')).toThrow(/without a server: install it/);
});
