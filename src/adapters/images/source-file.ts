import { type Readable } from 'node:stream';
import { PushforwardError } from '../../base/errors.ts';

/**
 * Where the bytes of sources come from: files of this machine, or objects of a store. A path is what messages and
 * manifests call a file or folder; it is joined with `below` and taken apart as any path is.
 */
export interface SourceFiles {
  /** The path by which a manifest names it: links followed, no slash at the end. */
  realPath(path: string): Promise<string>;
  /** What lies there; SOURCE_UNREADABLE if nothing does. */
  look(path: string): Promise<FileState | 'folder' | 'other'>;
  /** What lies right in a folder; hidden files and links count for nothing. */
  names(folder: string): Promise<{ files: string[]; folders: string[] }>;
  /** Everything below a folder but what is hidden; memory does not grow with the number of files. */
  walk(folder: string, signal?: AbortSignal): AsyncIterable<FolderItem>;
  /** A whole file. `larger` if it has more than `maxBytes`, of which no more is read then. */
  read(path: string, options: ReadOptions): Promise<Uint8Array | 'missing' | 'larger'>;
  /** A file from its beginning to its end. */
  stream(path: string): Readable;
  /**
   * A file to read ranges of.
   * @param etag if given: the file as it was when it had this etag, else SOURCE_CHANGED
   */
  open(path: string, etag?: string): Promise<SourceFile>;
  /** How ranges and files are best read. */
  readonly reading: ReadingPlan;
}

/** Size in bytes, and an etag that another content does not have. */
export interface FileState {
  bytes: number;
  etag: string;
}

/** Paths are relative to the folder that is walked. */
export type FolderItem =
  | { kind: 'folder'; path: string }
  /** `state` where the listing tells it. */
  | { kind: 'file'; path: string; state?: FileState }
  | { kind: 'passedOver'; path: string; why: string };

export interface ReadOptions {
  maxBytes: number;
  /** Only the file that had this state. */
  state?: FileState | undefined;
  /** A link is UNSAFE_PATH: it could lead out of the folders that imports may read. */
  refuseLinks?: boolean;
}

export interface SourceFile extends FileState {
  /** Exactly this range; null where the file ends before. */
  read(offset: number, bytes: number): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

export interface ReadingPlan {
  /** Reads in flight to one source. */
  parallel: number;
  /** Ranges so close to each other are read as one: a read costs more than the bytes between. */
  gapBytes: number;
  /** Of such a read. */
  rangeBytes: number;
}

/** The path of what lies in a folder. */
export function below(folder: string, path: string): string {
  return folder.endsWith('/') ? folder + path : `${folder}/${path}`;
}

/** State of a file; SOURCE_UNREADABLE if there is none. */
export async function fileState(files: Pick<SourceFiles, 'look'>, path: string): Promise<FileState> {
  const found = await files.look(path);
  if (typeof found !== 'string') return found;
  throw unreadable(path, 'a readable file', found === 'folder' ? 'a folder' : 'neither a file nor a folder');
}

/** @throws SOURCE_CHANGED unless the file is as it was when it had this state */
export async function checkUnchanged(files: SourceFiles, path: string, before: FileState): Promise<void> {
  const { etag } = await fileState(files, path);
  if (etag !== before.etag) throw sourceChanged(path, before.etag, etag);
}

export function unreadable(path: string, expected: string, received: string, cause?: unknown): PushforwardError {
  return new PushforwardError(
    'SOURCE_UNREADABLE',
    `expected ${expected} in ${path}, got ${received}: check the file, copy it again if it was cut short`,
    { path },
    { cause },
  );
}

/** What went wrong while a file was read: an error of ours tells more than that it is unreadable. */
export function asUnreadable(path: string, expected: string, error: unknown): PushforwardError {
  return error instanceof PushforwardError ? error : unreadable(path, expected, messageOf(error), error);
}

export function sourceChanged(path: string, expected: string, received: string): PushforwardError {
  return new PushforwardError(
    'SOURCE_CHANGED',
    `expected ${path} as it was at import (${expected}), got ${received}: put the old file back or import a new version`,
    { path, expected, received },
  );
}

export function limitExceeded(path: string, limit: string, received: string): PushforwardError {
  return new PushforwardError(
    'LIMIT_EXCEEDED',
    `expected ${limit} in ${path}, got ${received}: remove what is too large or repack the source`,
    { path },
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
