import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Apart from the other tests, since the first run on a machine builds the tools, which takes minutes. */
export default defineConfig({
  ...base,
  test: {
    name: 'deploy',
    include: ['test/deploy/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 1_800_000,
    fileParallelism: false,
  },
});
