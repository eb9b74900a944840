import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { cancelled, PushforwardError } from '../../base/errors.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { checkRatio, type ScanLimits } from './limits.ts';
import { limitExceeded, messageOf, type SourceFiles, unreadable } from './source-file.ts';
import { createTarParser, type TarEntry } from './tar-parser.ts';

/** Of a piece that is decompressed: with 256 KiB the threads wait for each other so often that an import takes a tenth longer. */
const PIECE_BYTES = 1024 * 1024;

/** The members of a tar, in order, see `tarBatches`. */
export async function* tarMembers(...of: Parameters<typeof tarBatches>): AsyncGenerator<TarEntry> {
  for await (const members of tarBatches(...of)) yield* members;
}

/**
 * The members of a tar, in order, in batches: to wait for each one costs as much as to hash it. A tar ends with blocks of
 * zeros, which tells one that ends from one that was cut between two members: without them it is SOURCE_UNREADABLE, as is
 * whatever else breaks, with the position.
 */
export async function* tarBatches(
  path: string,
  options: {
    files: SourceFiles;
    gzip: boolean;
    limits: ScanLimits;
    /** Bodies end with the batch that they are in. */
    release?: boolean;
    /** At which a compressed tar is decompressed: small for who looks at its beginning only. */
    pieceBytes?: number;
    signal?: AbortSignal | undefined;
  },
): AsyncGenerator<TarEntry[]> {
  const { gzip, limits, signal } = options;
  throwIfAborted(signal);
  const parser = createTarParser(limits.maxImageBytes);
  let compressed = 0;
  const file = options.files.stream(path);
  try {
    const bytes = counted(file, (read) => (compressed += read));
    for await (const piece of gzip ? gunzipped(bytes, options.pieceBytes ?? PIECE_BYTES) : bytes) {
      throwIfAborted(signal);
      const members: TarEntry[] = [];
      const failure = failureOf(() => parser.push(piece, members));
      if (gzip) checkRatio(path, parser.position, compressed, limits);
      if (members.length > 0) yield members;
      if (failure) throw failure;
      if (gzip && options.release) release(piece);
    }
    parser.end();
  } catch (error) {
    if (error instanceof PushforwardError) throw error;
    if (signal?.aborted) throw cancelled('the import');
    const where = `byte ${parser.position} of the tar${gzip ? ` (byte ${compressed} of the file)` : ''}`;
    throw unreadable(path, 'a whole tar', `${messageOf(error)} near ${where}`, error);
  } finally {
    file.destroy();
  }
}

/** The body of a member of the tar at `path`; LIMIT_EXCEEDED if it is larger than an image may be. */
export function bodyOf({ name, bytes, body }: TarEntry, path: string, limits: ScanLimits): Uint8Array {
  if (body) return body;
  throw limitExceeded(path, `images of at most ${limits.maxImageBytes} bytes`, `${name} of ${bytes} bytes`);
}

async function* counted(bytes: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const piece of bytes) {
    count(piece.length);
    yield piece;
  }
}

/** Decompresses a piece ahead, on another thread, while the one before is worked on. */
async function* gunzipped(bytes: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: pieceBytes });
  // Whoever reads `gunzip` sees the same failure.
  const flow = pipeline(Readable.from(bytes), gunzip).catch(() => {});
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } finally {
    gunzip.destroy();
    await flow;
  }
}

/**
 * Gives the memory of a piece from zlib back at once. Left to the collector, the 77 MB of a tar make it run six times instead
 * of three, at 20 ms each. Node before 22 cannot.
 */
function release({ buffer, byteOffset, length }: Uint8Array): void {
  // Behind a piece that ends elsewhere the next one is written.
  if (byteOffset + length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer?.(0);
}

function failureOf(work: () => void): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}
