import { type BigIntStats, constants, createReadStream } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { invalid, PushforwardError } from '../../base/errors.ts';
import {
  type FileState,
  type FolderItem,
  messageOf,
  sourceChanged,
  type SourceFiles,
  unreadable,
} from './source-file.ts';

/** Files of this machine, by absolute paths. A file is pinned to `size-mtimeNs`. */
export const localFiles: SourceFiles = {
  reading: { parallel: 8, gapBytes: 64 * 1024, rangeBytes: 8 * 1024 * 1024 },

  realPath: (path) => realpath(path),

  async look(path) {
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => {
      throw unreadable(path, 'a readable file or folder', messageOf(error), error);
    });
    if (stats.isDirectory()) return 'folder';
    return stats.isFile() ? stateOf(stats) : 'other';
  },

  async names(folder) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw unreadable(folder, 'a readable folder', messageOf(error), error);
    });
    const seen = entries.filter(({ name }) => !name.startsWith('.'));
    return {
      files: seen.filter((entry) => entry.isFile()).map(({ name }) => name),
      folders: seen.filter((entry) => entry.isDirectory()).map(({ name }) => name),
    };
  },

  walk,

  async read(path, { maxBytes, refuseLinks }) {
    const flags = refuseLinks ? constants.O_RDONLY | constants.O_NOFOLLOW : constants.O_RDONLY;
    const file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      if (error.code === 'ELOOP' && refuseLinks) throw refusedLink(path);
      throw unreadable(path, 'a readable file', messageOf(error), error);
    });
    if (!file) return 'missing';
    try {
      const { size } = await file.stat();
      if (size > maxBytes) return 'larger';
      // Some files of the system have no size. The others are read at once, which saves asking for their end.
      return (size > 0 ? await readRange(file, 0, size) : null) ?? (await file.readFile());
    } catch (error) {
      throw unreadable(path, 'a readable file', messageOf(error), error);
    } finally {
      await file.close();
    }
  },

  stream: (path) => createReadStream(path, { highWaterMark: 1024 * 1024 }),

  async open(path, etag) {
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && etag !== undefined) throw sourceChanged(path, etag, 'nothing there');
      throw unreadable(path, 'a readable file', messageOf(error), error);
    });
    try {
      const state = stateOf(await file.stat({ bigint: true }));
      if (etag !== undefined && etag !== state.etag) throw sourceChanged(path, etag, state.etag);
      return { ...state, read: (offset, bytes) => readRange(file, offset, bytes), close: () => file.close() };
    } catch (error) {
      await file.close();
      throw error;
    }
  },
};

/**
 * Links to files below the root are read, links to folders below it passed over, as are those to what is hidden: the state
 * of the service may be. Links that leave the root are UNSAFE_PATH.
 * @param root links followed
 */
async function* walk(root: string, signal?: AbortSignal, folder = ''): AsyncGenerator<FolderItem> {
  const below: string[] = [];
  const entries = await opendir(join(root, folder)).catch((error: unknown) => {
    throw unreadable(join(root, folder), 'a readable folder', messageOf(error), error);
  });
  for await (const entry of entries) {
    throwIfAborted(signal);
    if (entry.name.startsWith('.')) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.includes('\ufffd')) await checkName(root, path);
    const kind = entry.isSymbolicLink() ? await linked(root, path) : entry;
    if (kind === 'hidden') yield { kind: 'passedOver', path, why: 'link to what is hidden' };
    else if (kind.isDirectory()) {
      if (entry.isSymbolicLink()) yield { kind: 'passedOver', path, why: 'link to a folder' };
      else below.push(path);
    } else if (kind.isFile()) yield { kind: 'file', path };
    else yield { kind: 'passedOver', path, why: 'no regular file' };
  }
  for (const path of below) {
    yield { kind: 'folder', path };
    yield* walk(root, signal, path);
  }
}

/** Node reads names as UTF-8: one in other bytes leads to nothing. */
async function checkName(root: string, path: string): Promise<void> {
  const there = await lstat(join(root, path)).catch(() => null);
  if (there) return;
  throw invalid(
    `expected names in UTF-8 below ${root}, got ${JSON.stringify(path)}, where \ufffd stands for other bytes: rename it`,
    { path: root },
  );
}

async function linked(root: string, path: string) {
  const target = await realpath(join(root, path)).catch((error: unknown) => {
    throw unreadable(root, `the link ${path} to lead to a file`, messageOf(error), error);
  });
  if (target !== root && !target.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected links below ${root} to stay there, got ${path} that leads to ${target}: ` +
        'copy the file in its place (cp -rL copies a folder with all that its links lead to)',
      { path: root, link: path },
    );
  }
  const hidden = relative(root, target)
    .split(sep)
    .some((segment) => segment.startsWith('.'));
  return hidden ? 'hidden' : await stat(target);
}

async function readRange(file: FileHandle, offset: number, bytes: number): Promise<Uint8Array | null> {
  const into = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(into, done, bytes - done, offset + done);
    if (bytesRead === 0) return null;
    done += bytesRead;
  }
  return into;
}

function stateOf({ size, mtimeNs }: BigIntStats): FileState {
  return { bytes: Number(size), etag: `${size}-${mtimeNs}` };
}

function refusedLink(path: string): PushforwardError {
  return new PushforwardError('UNSAFE_PATH', `expected ${path} to be a file, got a link: copy the file in its place`, {
    path,
  });
}
