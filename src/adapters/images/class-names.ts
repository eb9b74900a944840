import { invalid } from '../../base/errors.ts';
import { repeated } from '../../base/repeated.ts';
import { below, limitExceeded, type SourceFiles } from './source-file.ts';

/** Names of the classes by label, a line each; null if there is no such file. Empty lines at the end count for nothing. */
export async function readNames(files: Pick<SourceFiles, 'read'>, path: string): Promise<string[] | null> {
  const text = await textOf(files, path);
  if (text === null) return null;
  return checkNames(text.trimEnd().split(/\r?\n/), path);
}

/** From `classes.txt`, or the list `classes` of `dataset.json`, in the folder; null if it has neither. */
export async function namesIn(files: SourceFiles, folder: string): Promise<string[] | null> {
  const lines = await readNames(files, below(folder, 'classes.txt'));
  if (lines) return lines;
  const path = below(folder, 'dataset.json');
  const text = await textOf(files, path);
  if (text === null) return null;
  const names = classesOf(text);
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return checkNames(names, path);
  if (names === undefined) return null;
  throw invalid(`expected classes in ${path} to be a list of names, got ${typeof names}: correct the file`, { path });
}

/** Names tell labels apart: a class may stand there once, and is called something. */
function checkNames(names: string[], path: string): string[] {
  const bad = names.find((name) => name.trim() === '') ?? repeated(names);
  if (bad === null) return names;
  const at = names.lastIndexOf(bad);
  throw invalid(
    `expected another class name for each label in ${path}, got ${JSON.stringify(bad)} for label ${at}: correct the file`,
    { path },
  );
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
async function textOf(files: Pick<SourceFiles, 'read'>, path: string): Promise<string | null> {
  const found = await files.read(path, { maxBytes: MAX_BYTES, refuseLinks: true });
  if (found === 'missing') return null;
  if (found === 'larger') throw limitExceeded(path, `at most ${MAX_BYTES} bytes`, 'more');
  return new TextDecoder().decode(found);
}
