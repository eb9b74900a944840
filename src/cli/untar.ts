import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { invalid, PushforwardError } from '../base/errors.ts';
import { namelessSegment } from '../base/relative-path.ts';

/**
 * Writes the files of a tar into a folder, in place of what an earlier one left there: images of two runs must not mix.
 * Everything is checked before anything is removed or written.
 * @throws CORRUPT_ARTIFACT, and INVALID_INPUT if the folder has files but lacks the first of the tar, so is someone else's
 */
export async function unpackTar(tar: Uint8Array, folder: string): Promise<void> {
  const files = await filesOf(tar);
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

async function filesOf(tar: Uint8Array): Promise<{ path: string; bytes: Uint8Array }[]> {
  const files: { path: string; bytes: Uint8Array }[] = [];
  const members = extract();
  Readable.from([tar])
    .on('error', (error) => members.destroy(error))
    .pipe(members);
  try {
    for await (const member of members) {
      const { name, type } = member.header;
      const below = namelessSegment(name) === null && !/[\\:]/.test(name);
      if (type !== 'file' || !below) throw corrupt(`got the ${type} ${JSON.stringify(name)}`);
      files.push({ path: name, bytes: await buffer(member) });
    }
  } catch (error) {
    throw error instanceof PushforwardError ? error : corrupt(`got ${(error as Error).message}`);
  }
  return files;
}

function corrupt(received: string): PushforwardError {
  return new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected a whole tar of files below its root, ${received}: download it again`,
  );
}
