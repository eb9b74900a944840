import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalid, PushforwardError } from '../base/errors.ts';

const BLOCK = 512;

/**
 * Writes the files of a tar (POSIX ustar, as the report stage makes it) into a folder, in place of what an earlier one left
 * there: images of two runs must not mix. Everything is checked before anything is removed or written.
 * @throws CORRUPT_ARTIFACT, and INVALID_INPUT if the folder has files but lacks the first of the tar, so is someone else's
 */
export async function unpackTar(tar: Uint8Array, folder: string): Promise<void> {
  const files = filesOf(tar);
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  if (there.length > 0 && !there.includes(files[0]?.path ?? '')) {
    throw invalid(
      `expected ${folder} to be new, or to hold the images of an earlier run, got other files: choose another folder with --out`,
      { path: folder },
    );
  }
  await rm(folder, { recursive: true, force: true });
  const folders = new Set(files.map(({ path }) => dirname(join(folder, path))));
  for (const path of folders) await mkdir(path, { recursive: true });
  for (const { path, bytes } of files) await writeFile(join(folder, path), bytes);
}

function filesOf(tar: Uint8Array): { path: string; bytes: Uint8Array }[] {
  const files: { path: string; bytes: Uint8Array }[] = [];
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return files;
    const text = (from: number, to: number) => new TextDecoder().decode(header.subarray(from, to)).split('\0', 1)[0]!;
    const prefix = text(345, 500);
    const path = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
    const length = Number.parseInt(text(124, 136), 8);
    const start = at + BLOCK;
    const whole = start + length <= tar.length;
    const below = path.split('/').every((segment) => !['', '.', '..'].includes(segment)) && !/[\\:]/.test(path);
    if (text(156, 157) !== '0' || !whole || !below) {
      throw corrupt(`got ${JSON.stringify(path)} of ${length} bytes at byte ${at}`);
    }
    files.push({ path, bytes: tar.subarray(start, start + length) });
    at = start + Math.ceil(length / BLOCK) * BLOCK;
  }
  throw corrupt('got its end without a block of zeros');
}

function corrupt(received: string): PushforwardError {
  return new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected a whole tar of files below its root, ${received}: download it again`,
  );
}
