import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Apart from the other tests, since the first run on a machine installs a browser. */
export default defineConfig({
  ...base,
  test: {
    name: 'browser',
    include: ['test/browser/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
