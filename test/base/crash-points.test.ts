import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { armCrashPoints, CRASH_POINTS, crashPoint } from '../../src/base/crash-points.ts';
import { canRun, identify } from '../../src/base/process-identity.ts';
import { until } from '../support/until.ts';

const SRC = join(import.meta.dirname, '../../src');

it('every crash point stands in one place of the sources', () => {
  const texts = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(SRC, name), 'utf8'));
  const standing = texts.flatMap((text) => [...text.matchAll(/crashPoint\('([^']+)'\)/g)].map(([, name]) => name));
  expect(standing.sort()).toEqual(Object.keys(CRASH_POINTS).sort());
});

it('a process stops at an armed point, and goes on where it was', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pushforward-crash-'));
  writeFileSync(join(folder, 'blob.put'), 'SIGSTOP');
  const script = `
    import { armCrashPoints, crashPoint } from ${JSON.stringify(join(SRC, 'base/crash-points.ts'))};
    armCrashPoints(${JSON.stringify(folder)});
    crashPoint('blob.put');
    crashPoint('blob.put');
    process.exit(7);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  try {
    const ended = once(child, 'exit');
    await until(() => !canRun(identify(child.pid!)), 'the process to stop');
    expect(readdirSync(folder)).toEqual([]);
    child.kill('SIGCONT');
    expect(await ended).toEqual([7, null]);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

it('a process dies at an armed point, once, and at no other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pushforward-crash-'));
  try {
    armCrashPoints(folder);
    crashPoint('blob.put');
    writeFileSync(join(folder, 'blob.put'), '');
    const script = `
      import { armCrashPoints, crashPoint } from ${JSON.stringify(join(SRC, 'base/crash-points.ts'))};
      armCrashPoints(${JSON.stringify(folder)});
      crashPoint('manifest.published');
      process.stdout.write('before ');
      crashPoint('blob.put');
      process.stdout.write('after');`;
    const run = () => execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(run).toThrow(expect.objectContaining({ signal: 'SIGKILL', stdout: 'before ' }));
    expect(readdirSync(folder)).toEqual([]);
    expect(run()).toBe('before after');
  } finally {
    armCrashPoints(null);
    rmSync(folder, { recursive: true });
  }
});
