import { invalid } from '../../base/errors.ts';
import { below, limitExceeded, type SourceFiles } from './source-file.ts';

/** Names of the classes by label, a line each; null if there is no such file. Empty lines at the end count for nothing. */
export async function readNames(files: SourceFiles, path: string): Promise<string[] | null> {
  const text = await textOf(files, path);
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
export async function namesIn(files: SourceFiles, folder: string): Promise<string[] | null> {
  const lines = await readNames(files, below(folder, 'classes.txt'));
  if (lines) return lines;
  const path = below(folder, 'dataset.json');
  const text = await textOf(files, path);
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

/** Null if it is not there. */
async function textOf(files: SourceFiles, path: string): Promise<string | null> {
  const found = await files.read(path, { maxBytes: MAX_BYTES, refuseLinks: true });
  if (found === 'missing') return null;
  if (found === 'larger') throw limitExceeded(path, `at most ${MAX_BYTES} bytes`, 'more');
  return new TextDecoder().decode(found);
}
