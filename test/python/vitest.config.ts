import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Apart from the other tests, since the first run on a machine installs hundreds of megabytes. */
export default defineConfig({
  ...base,
  test: { name: 'python', include: ['test/python/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 },
});
