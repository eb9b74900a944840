import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { throwIfAborted } from '../../base/abort.ts';
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

/**
 * The records of a file that is a header and `count` of them, in order; `bytes` of one are valid until the next.
 * SOURCE_UNREADABLE if the file has fewer bytes or more.
 */
export async function* recordsOf(
  files: SourceFiles,
  file: RawFile,
  layout: { headerBytes: number; recordBytes: number; count: number },
  signal?: AbortSignal,
): AsyncGenerator<{ bytes: Uint8Array; offset: number }> {
  const { headerBytes, recordBytes, count } = layout;
  const expected = headerBytes + recordBytes * count;
  const refuse = (got: string) =>
    unreadable(file.path, `${expected} bytes (${headerBytes} and ${count} records of ${recordBytes})`, got);
  let rest: Uint8Array = new Uint8Array();
  let offset = 0;
  for await (const chunk of contentOf(files, file, signal)) {
    let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    if (offset + bytes.length > expected) throw refuse('more');
    for (;;) {
      const next = offset < headerBytes ? headerBytes - offset : recordBytes;
      if (bytes.length < next) break;
      if (offset >= headerBytes) yield { bytes: bytes.subarray(0, next), offset };
      bytes = bytes.subarray(next);
      offset += next;
    }
    rest = bytes;
  }
  if (offset !== expected) throw refuse(`${offset + rest.length}`);
}

/** LIMIT_EXCEEDED where a header promises far more than so many compressed bytes ever hold. */
export function checkPromise(file: RawFile, promised: number, compressed: number, limits: ScanLimits): void {
  if (!file.gzip || promised <= limits.packBytes || promised <= limits.maxCompressionRatio * compressed) return;
  throw limitExceeded(
    file.path,
    `at most ${limits.maxCompressionRatio} times the compressed bytes`,
    `${promised} out of ${compressed}`,
  );
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
