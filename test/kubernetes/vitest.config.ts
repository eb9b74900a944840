import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Apart from the other tests, since the first run on a machine builds a Kubernetes control plane. */
export default defineConfig({
  ...base,
  test: {
    name: 'kubernetes',
    include: ['test/kubernetes/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 1_800_000,
    fileParallelism: false,
  },
});
