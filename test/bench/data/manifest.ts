/** A million images whose bytes are nowhere: the memory that an import takes for what it knows of each. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BenchCase } from '../bench.ts';

const CASE = 'import a million-row manifest';
const IMAGES = 1_000_000;
const LIMIT_MB = 300;

export async function* manifestCases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  if (!wanted(CASE)) return;
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-bench-'));
  try {
    const script = join(import.meta.dirname, 'million.ts');
    const run = promisify(execFile)(process.execPath, [script, folder, String(IMAGES)]);
    run.child.stderr?.pipe(process.stderr);
    const { peakMb, ...more } = JSON.parse((await run).stdout) as { peakMb: number; seconds: number; told: number };
    const progress = { seconds: more.seconds, toldOfProgress: more.told };
    yield { case: CASE, unit: 'MB', ours: peakMb, peers: { limit: LIMIT_MB }, target: 1, images: IMAGES, ...progress };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
