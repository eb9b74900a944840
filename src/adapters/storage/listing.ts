import { type BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './failures.ts';
import { byUtf8 } from './keys.ts';

/** How many files are looked at together. */
const BATCH = 64;

/**
 * The files below a folder whose key begins with the prefix, in ascending order of the keys' UTF-8 bytes. Holds the
 * names of the folders on the way to the current file, never the whole tree. Files that vanish meanwhile are left out.
 */
export async function* listFiles(root: string, prefix: string): AsyncIterable<{ key: string; stats: BigIntStats }> {
  const slash = prefix.lastIndexOf('/');
  yield* walk(root, slash < 0 ? '' : prefix.slice(0, slash + 1), prefix.slice(slash + 1));
}

/** What lies in a folder, names of folders with a slash behind them; in the order of keys, with which a folder sorts by that name. */
export async function namesInFolder(path: string): Promise<string[]> {
  return (await readFolder(path))
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort(byUtf8);
}

/** @param base key of the folder, empty or ending in `/` */
async function* walk(
  root: string,
  base: string,
  namePrefix: string,
): AsyncIterable<{ key: string; stats: BigIntStats }> {
  const names = (await namesInFolder(join(root, base))).filter((name) => name.startsWith(namePrefix));
  for (let start = 0; start < names.length; start += BATCH) {
    const batch = names.slice(start, start + BATCH);
    const stats = await Promise.all(batch.map((name) => statOf(join(root, base, name))));
    for (const [index, name] of batch.entries()) {
      if (name.endsWith('/')) yield* walk(root, base + name, '');
      else if (stats[index]?.isFile()) yield { key: base + name, stats: stats[index] };
    }
  }
}

async function readFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function statOf(path: string): Promise<BigIntStats | null> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
