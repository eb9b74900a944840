import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { invalid, PushforwardError } from '../base/errors.ts';
import { byCodeUnit } from '../base/order.ts';
import { repeated } from '../base/repeated.ts';
import { MAX_UPLOAD_FILES } from '../base/upload-limits.ts';

/** A file of this machine and what it is called in an upload. */
export interface LocalFile {
  /** Relative, with `/`. */
  path: string;
  /** Absolute. */
  file: string;
  bytes: number;
  modifiedMs: number;
  /** When it was written to, or put in its place with the times of another: what is later. */
  changedMs: number;
}

export interface LocalFiles {
  files: LocalFile[];
  /** How many files below folders were hidden, or in hidden folders, and how many had no bytes. */
  leftOut: { hidden: number; empty: number };
}

/**
 * Files by their names, and what lies in folders by its path there, beginning with the folder's name where more than one
 * argument is given. Hidden files and empty ones are left out; links to files are followed, links to folders are not.
 * @throws INVALID_INPUT where nothing is there, or two would have one path; LIMIT_EXCEEDED where an upload cannot hold so many
 */
export async function localFiles(paths: readonly string[]): Promise<LocalFiles> {
  const found: LocalFile[] = [];
  let hidden = 0;
  for (const argument of paths.map((path) => resolve(path))) {
    const root = await lookAt(argument);
    if (!root) {
      throw invalid(`expected a file or folder at ${argument}, got nothing that can be read: correct the path`);
    }
    if (root.isFile()) found.push(toLocalFile(basename(argument), argument, root));
    else {
      const inside = await below(argument, paths.length > 1 ? `${basename(argument)}/` : '');
      found.push(...inside.files);
      hidden += inside.hidden;
    }
    checkCount(found.length);
  }
  const files = found.filter(({ bytes }) => bytes > 0);
  if (files.length === 0)
    throw invalid(`expected files in ${paths.join(', ')}, got none with bytes in it: name others`);
  const twice = repeated(files.map(({ path }) => path));
  if (twice !== null) throw invalid(`expected files of different names, got ${twice} twice: put them into a folder`);
  return { files, leftOut: { hidden, empty: found.length - files.length } };
}

async function below(folder: string, prefix: string): Promise<{ files: LocalFile[]; hidden: number }> {
  const files: LocalFile[] = [];
  let hidden = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join('/');
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    if (path.split('/').some((segment) => segment.startsWith('.'))) {
      hidden++;
      continue;
    }
    const stats = await lookAt(file);
    if (stats?.isFile()) files.push(toLocalFile(prefix + path, file, stats));
    checkCount(files.length);
  }
  return { files: files.sort((a, b) => byCodeUnit(a.path, b.path)), hidden };
}

/** Before the service is asked, which would refuse them as well. */
function checkCount(files: number): void {
  if (files <= MAX_UPLOAD_FILES) return;
  throw new PushforwardError(
    'LIMIT_EXCEEDED',
    `expected at most ${MAX_UPLOAD_FILES} files in an upload, got more: pack them into a tar`,
  );
}

type Stats = Awaited<ReturnType<typeof stat>>;

const lookAt = (path: string): Promise<Stats | null> => stat(path).catch(() => null);

const toLocalFile = (path: string, file: string, { size, mtimeMs, ctimeMs }: Stats): LocalFile => ({
  path,
  file,
  bytes: Number(size),
  modifiedMs: Number(mtimeMs),
  changedMs: Math.max(Number(mtimeMs), Number(ctimeMs)),
});

/** Whether it is as it was when it was listed. */
export async function isUnchanged({ file, bytes, modifiedMs }: LocalFile): Promise<boolean> {
  const stats = await lookAt(file);
  return stats !== null && Number(stats.size) === bytes && Number(stats.mtimeMs) === modifiedMs;
}
