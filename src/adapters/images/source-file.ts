import { type BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { PushforwardError } from '../../base/errors.ts';

/** What a file is pinned to: `size-mtimeNs`. */
export function etagOf(stats: BigIntStats): string {
  return `${stats.size}-${stats.mtimeNs}`;
}

/** Size in bytes and etag of a file; SOURCE_UNREADABLE if there is none. */
export async function fileState(path: string): Promise<{ bytes: number; etag: string }> {
  try {
    const stats = await stat(path, { bigint: true });
    return { bytes: Number(stats.size), etag: etagOf(stats) };
  } catch (error) {
    throw unreadable(path, 'a readable file', messageOf(error), error);
  }
}

export async function openSource(path: string): Promise<FileHandle> {
  return await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, 'a readable file', messageOf(error), error);
  });
}

/** Exactly this range; null where the file ends before. */
export async function readRange(file: FileHandle, offset: number, bytes: number): Promise<Uint8Array | null> {
  const into = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(into, done, bytes - done, offset + done);
    if (bytesRead === 0) return null;
    done += bytesRead;
  }
  return into;
}

export function unreadable(path: string, expected: string, received: string, cause?: unknown): PushforwardError {
  return new PushforwardError(
    'SOURCE_UNREADABLE',
    `expected ${expected} in ${path}, got ${received}: check the file, copy it again if it was cut short`,
    { path },
    { cause },
  );
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
