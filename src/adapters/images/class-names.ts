import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { limitExceeded, messageOf, unreadable } from './source-file.ts';

/** Names of the classes by label, a line each; null if there is no such file. Empty lines at the end count for nothing. */
export async function readNames(path: string): Promise<string[] | null> {
  const text = await textOf(path);
  if (text === null) return null;
  const names = text.trimEnd().split(/\r?\n/);
  const bad = names.findIndex((name, i) => name.trim() === '' || names.indexOf(name) < i);
  if (bad < 0) return names;
  throw invalid(
    `expected another class name in each line of ${path}, got ${JSON.stringify(names[bad])} in line ${bad + 1}: correct the file`,
    { path },
  );
}

/** From `classes.txt`, or the list `classes` of `dataset.json`, in the folder; null if it has neither. */
export async function namesIn(folder: string): Promise<string[] | null> {
  const lines = await readNames(join(folder, 'classes.txt'));
  if (lines) return lines;
  const path = join(folder, 'dataset.json');
  const text = await textOf(path);
  if (text === null) return null;
  const names = classesOf(text);
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  if (names === undefined) return null;
  throw invalid(`expected classes in ${path} to be a list of names, got ${typeof names}: correct the file`, { path });
}

function classesOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { classes?: unknown } | null)?.classes;
  } catch {
    return undefined;
  }
}

const MAX_BYTES = 16 * 1024 * 1024;

/** Null if it is not there. A link is refused: it could lead out of the folders that imports may read. */
async function textOf(path: string): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    if (error.code !== 'ELOOP') throw unreadable(path, 'a readable file', messageOf(error), error);
    throw new PushforwardError('UNSAFE_PATH', `expected ${path} to be a file, got a link: copy the file in its place`, {
      path,
    });
  });
  if (!file) return null;
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) throw limitExceeded(path, `at most ${MAX_BYTES} bytes`, `${size}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
