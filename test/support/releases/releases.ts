import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { ROOT } from '../service-process.ts';

/** A folder for each release, with what it had written when it was killed with a run in flight. */
export const RELEASES = join(ROOT, 'test/fixtures/releases');

/** What stands beside `database.sql.gz` and `store.tar.gz`. */
export interface ReleaseFixture {
  release: string;
  /** Its recipe as it was launched, and the digest of each blob of its outputs. */
  finished: { runId: string; recipe: Record<string, unknown>; blobs: Record<string, string> };
  /** Killed while one of its attempts was under way and another had published. */
  inFlight: { runId: string };
}

export async function releases(): Promise<string[]> {
  return (await readdir(RELEASES)).sort();
}

export async function readFixture(release: string): Promise<ReleaseFixture> {
  return JSON.parse(await readFile(join(RELEASES, release, 'fixture.json'), 'utf8')) as ReleaseFixture;
}

/** As SQL statements. */
export async function databaseOf(release: string): Promise<string> {
  return gunzipSync(await readFile(join(RELEASES, release, 'database.sql.gz'))).toString();
}

export async function unpackStore(release: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await promisify(execFile)('tar', ['-xzf', join(RELEASES, release, 'store.tar.gz'), '-C', folder]);
}
