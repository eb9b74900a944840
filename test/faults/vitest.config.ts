import { defineConfig } from 'vitest/config';

/** The long form of the fault tests, run by `npm run test:faults`; test/e2e/faults.test.ts is the short one. */
export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
