import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('the peak of a process is its own, not that of whoever started it', () => {
  const module = JSON.stringify(join(import.meta.dirname, '../../src/base/peak-memory.ts'));
  const script = `import { peakMemoryBytes } from ${module}; console.log(peakMemoryBytes());`;
  const large = new Uint8Array(400e6).fill(1);
  const peak = Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
  expect(large.at(-1)).toBe(1);
  expect(peak).toBeGreaterThan(20e6);
  expect(peak).toBeLessThan(300e6);
});
