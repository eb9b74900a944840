import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BodyFailure, isMissing } from './failures.ts';

export interface TemporaryFile {
  path: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** What comes in pieces is flushed on the way: of 46 MB 17 ms are left to flush at the end without, 3 with (ext4). */
const FLUSH_BYTES = 8 * 1024 * 1024;

/** Writes a body to a new file of the folder and flushes it to the disk. If anything fails nothing is left. */
export async function writeTemporary(
  folder: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<TemporaryFile> {
  const path = join(folder, `${process.pid}-${randomBytes(12).toString('hex')}.tmp`);
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx');
  try {
    let flushing = { from: 0, done: Promise.resolve() };
    for await (const chunk of chunksOf(body)) {
      // Hashed while it is written. Awaited below; until then a failure is no unhandled one.
      const written = file.writeFile(chunk);
      written.catch(() => undefined);
      hash.update(chunk);
      bytes += chunk.length;
      await written;
      if (bytes - flushing.from < FLUSH_BYTES) continue;
      await flushing.done;
      flushing = { from: bytes, done: file.datasync() };
      // Awaited below; until then a failure is no unhandled one.
      flushing.done.catch(() => undefined);
    }
    await flushing.done;
    await file.sync();
  } catch (error) {
    await file.close();
    await removeTemporary(path);
    throw error;
  }
  await file.close();
  return { path, bytes, sha256: hash.digest('hex') };
}

async function* chunksOf(body: Uint8Array | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    if (body instanceof Uint8Array) yield body;
    else yield* body;
  } catch (cause) {
    throw new BodyFailure('the body failed', { cause });
  }
}

export async function removeTemporary(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

/** Removes what writers that died have left: files that were last written before `before`. Returns how many. */
export async function sweepTemporary(folder: string, before: Date): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      if ((await stat(path)).mtimeMs >= before.getTime()) continue;
      await unlink(path);
      removed++;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return removed;
}

/** Makes a folder with its parents such that they survive a power cut. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Flushes the names in a folder to the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
