import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { throwIfAborted } from '../../base/abort.ts';
import { type PushforwardError } from '../../base/errors.ts';
import { type ScanLimits } from './limits.ts';
import { asUnreadable, limitExceeded, type SourceFiles, unreadable } from './source-file.ts';

/** A file of bytes as they are, or of a gzip stream of them. */
export interface RawFile {
  path: string;
  gzip: boolean;
}

/** Its first bytes, decompressed; fewer where it ends before. */
export async function headOf(files: SourceFiles, file: RawFile, bytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let got = 0;
  for await (const chunk of contentOf(files, file)) {
    parts.push(chunk);
    got += chunk.length;
    if (got >= bytes) break;
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

/** Records that lie one after another in a file. */
export interface Batch {
  /** Of the first one, in the decompressed file. */
  offset: number;
  count: number;
}

/**
 * The records of a file that is a header and `count` of them, in order; `bytes` of one are valid until the next.
 * SOURCE_UNREADABLE if the file has fewer bytes or more.
 */
export function recordsOf(
  files: SourceFiles,
  file: RawFile,
  { headerBytes, recordBytes, count }: { headerBytes: number; recordBytes: number; count: number },
  signal?: AbortSignal,
): AsyncGenerator<RawRecord> {
  return recordsOfBatches(files, file, { recordBytes, batches: [{ offset: headerBytes, count }], whole: true }, signal);
}

/** `offset` is that in the decompressed file. */
export interface RawRecord {
  bytes: Uint8Array;
  offset: number;
}

/**
 * As `recordsOf`, of several batches in the order of their offsets.
 * @param layout `whole`: the file ends with the last batch, and has nothing else than a header before the only one
 */
export async function* recordsOfBatches(
  files: SourceFiles,
  file: RawFile,
  { recordBytes, batches, whole }: { recordBytes: number; batches: readonly Batch[]; whole: boolean },
  signal?: AbortSignal,
): AsyncGenerator<RawRecord> {
  const last = batches.at(-1)!;
  const expected = last.offset + recordBytes * last.count;
  const otherEnd = (got: string) =>
    whole
      ? otherLength(file.path, { headerBytes: last.offset, recordBytes, count: last.count }, got)
      : unreadable(file.path, `at least ${expected} bytes`, got);
  // Of a record that no chunk holds whole: what came of it so far.
  let part: Uint8Array | null = null;
  let filled = 0;
  let seen = 0;
  let batch = 0;
  for await (const chunk of contentOf(files, file, signal)) {
    const start = seen;
    seen += chunk.length;
    if (whole && seen > expected) throw otherEnd('more');
    for (let at = 0; at < chunk.length && batch < batches.length;) {
      const { offset, count } = batches[batch]!;
      if (start + at < offset) {
        at = Math.min(chunk.length, offset - start);
        continue;
      }
      if (start + at >= offset + recordBytes * count) {
        batch += 1;
        continue;
      }
      if (filled === 0 && chunk.length - at >= recordBytes) {
        yield { bytes: chunk.subarray(at, at + recordBytes), offset: start + at };
        at += recordBytes;
        continue;
      }
      part ??= new Uint8Array(recordBytes);
      const taken = chunk.subarray(at, at + recordBytes - filled);
      part.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < recordBytes) continue;
      filled = 0;
      yield { bytes: part, offset: start + at - recordBytes };
    }
    if (!whole && seen >= expected) return;
  }
  if (seen !== expected) throw otherEnd(String(seen));
}

/**
 * What a header promises against the bytes that the file has, before any of it is believed: those of a plain file are what it
 * says or the file is SOURCE_UNREADABLE; a compressed one is LIMIT_EXCEEDED where so few bytes never hold so much.
 */
export function checkPromise(
  file: RawFile,
  promised: { headerBytes: number; recordBytes: number; count: number },
  bytes: number,
  limits: ScanLimits,
): void {
  const whole = promised.headerBytes + promised.recordBytes * promised.count;
  if (!file.gzip) {
    if (whole !== bytes) throw otherLength(file.path, promised, String(bytes));
  } else if (whole > limits.packBytes && whole > limits.maxCompressionRatio * bytes) {
    throw limitExceeded(
      file.path,
      `at most ${limits.maxCompressionRatio} times the compressed bytes`,
      `${whole} out of ${bytes}`,
    );
  }
}

function otherLength(
  path: string,
  { headerBytes, recordBytes, count }: { headerBytes: number; recordBytes: number; count: number },
  got: string,
): PushforwardError {
  const expected = headerBytes + recordBytes * count;
  return unreadable(path, `${expected} bytes (${headerBytes} and ${count} records of ${recordBytes})`, got);
}

async function* contentOf(
  files: SourceFiles,
  { path, gzip }: RawFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  throwIfAborted(signal);
  const file = files.stream(path);
  const gunzip = gzip ? createGunzip({ chunkSize: 256 * 1024 }) : null;
  const content: Readable = gunzip ?? file;
  // The reader of `content` sees the same failure.
  const flow = gunzip && pipeline(file, gunzip).catch(() => {});
  try {
    for await (const chunk of content) {
      throwIfAborted(signal);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw asUnreadable(path, gzip ? 'a whole gzip file' : 'a readable file', error);
  } finally {
    content.destroy();
    file.destroy();
    await flow;
  }
}
