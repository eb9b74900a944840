import { open } from 'node:fs/promises';
import { PushforwardError } from '../base/errors.ts';
import { type LocalFile } from './local-files.ts';

/** A range of a file that is sent in one request. */
export interface Part {
  file: LocalFile;
  /** From 1. */
  number: number;
  offset: number;
  bytes: number;
}

/** Small parts are read and asked for together: files may be many and small. */
const BUNDLE_BYTES = 16 * 1024 * 1024;
/** What the service signs in one request. */
const BUNDLE_PARTS = 100;

/** @param cut as the service says how the file is cut */
export function partsOf(cut: { partBytes: number; partCount: number }, file: LocalFile): Part[] {
  return Array.from({ length: cut.partCount }, (_, index) => {
    const offset = index * cut.partBytes;
    return { file, number: index + 1, offset, bytes: Math.min(cut.partBytes, file.bytes - offset) };
  });
}

/** The parts in their order, as many together as one request and 16 MiB of memory take; larger ones alone. */
export function bundles(parts: readonly Part[]): Part[][] {
  const made: Part[][] = [];
  let bytes = Infinity;
  for (const part of parts) {
    const last = made.at(-1);
    if (last && last.length < BUNDLE_PARTS && bytes + part.bytes <= BUNDLE_BYTES) last.push(part);
    else {
      made.push([part]);
      bytes = 0;
    }
    bytes += part.bytes;
  }
  return made;
}

/** @throws SOURCE_CHANGED if the file is shorter than it was */
export async function readPart({ file, offset, bytes }: Part): Promise<Buffer> {
  await using handle = await open(file.file, 'r');
  const into = Buffer.allocUnsafe(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await handle.read(into, done, bytes - done, offset + done);
    if (bytesRead === 0) {
      throw new PushforwardError(
        'SOURCE_CHANGED',
        `expected ${file.bytes} bytes in ${file.file}, got ${offset + done}: upload it again once nothing writes to it`,
      );
    }
    done += bytesRead;
  }
  return into;
}
