import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { cancelled, PushforwardError } from '../../base/errors.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { type ScanLimits } from './limits.ts';
import { limitExceeded, messageOf, type SourceFiles, unreadable } from './source-file.ts';

export interface TarMember {
  name: string;
  type: Header['type'];
  /** Length of the body. */
  bytes: number;
  /** Where the body begins in the (decompressed) tar. */
  offset: number;
  /** The body as a whole; to be asked for before the next member, or not at all. */
  read(): Promise<Uint8Array>;
}

const BLOCK = 512;
const RATIO_FROM_BYTES = 64 * 1024 * 1024;

/**
 * The members of a tar, in order. A tar ends with blocks of zeros, which tells one that ends from one that was cut
 * between two members: without them it is SOURCE_UNREADABLE, as is whatever else breaks, with the position.
 */
export async function* tarMembers(
  path: string,
  options: { files: SourceFiles; gzip: boolean; limits: ScanLimits; signal?: AbortSignal | undefined },
): AsyncGenerator<TarMember> {
  const { limits, signal } = options;
  throwIfAborted(signal);
  const position = { compressed: 0, tar: 0 };
  let ending: Uint8Array = new Uint8Array();

  async function* countCompressed(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      position.compressed += chunk.length;
      yield chunk;
    }
  }
  async function* countTar(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      position.tar += chunk.length;
      if (options.gzip && position.tar > RATIO_FROM_BYTES) checkRatio(path, position, limits);
      ending = chunk.length >= BLOCK ? chunk.subarray(-BLOCK) : Buffer.concat([ending, chunk]).subarray(-BLOCK);
      yield chunk;
    }
  }

  const members = extract();
  const file = options.files.stream(path);
  const flow = (
    options.gzip
      ? pipeline(file, countCompressed, createGunzip({ chunkSize: 256 * 1024 }), countTar, members)
      : pipeline(file, countTar, members)
  ).then(
    () => null,
    (error: unknown) => error,
  );
  const where = () =>
    `byte ${position.tar} of the tar${options.gzip ? ` (byte ${position.compressed} of the file)` : ''}`;
  const explain = async (error: unknown): Promise<unknown> => {
    const first = await settled(flow, members, error);
    if (first instanceof PushforwardError) return first;
    return signal?.aborted
      ? cancelled('the import')
      : unreadable(path, 'a whole tar', `${messageOf(first)} near ${where()}`, first);
  };

  try {
    for await (const entry of members as AsyncIterable<Readable & { header: Header & { byteOffset: number } }>) {
      throwIfAborted(signal);
      const { name, type, size = 0, byteOffset } = entry.header;
      let taken = false;
      const read = async () => {
        taken = true;
        if (size > limits.maxImageBytes) {
          throw limitExceeded(path, `images of at most ${limits.maxImageBytes} bytes`, `${name} of ${size} bytes`);
        }
        try {
          const parts: Buffer[] = [];
          for await (const part of entry) parts.push(part as Buffer);
          return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        } catch (error) {
          throw await explain(error);
        }
      };
      yield { name, type, bytes: size, offset: byteOffset, read };
      if (!taken) entry.resume();
    }
    const error = await flow;
    if (error) throw error;
  } catch (error) {
    throw await explain(error);
  } finally {
    members.destroy();
    file.destroy();
    await flow;
  }
  if (ending.length < BLOCK || ending.some((byte) => byte !== 0)) {
    throw unreadable(path, 'a tar that ends with a block of zeros', `its end at ${where()} without one`);
  }
}

/** What broke first: the flow knows of the archive, the loop may only have seen the stream close. */
async function settled(flow: Promise<unknown>, members: { destroy(): unknown }, error: unknown): Promise<unknown> {
  if (error instanceof PushforwardError) return error;
  members.destroy();
  const first = await flow;
  const closed = (first as { code?: string } | null)?.code === 'ERR_STREAM_PREMATURE_CLOSE';
  return first === null || closed ? error : first;
}

function checkRatio(path: string, position: { compressed: number; tar: number }, limits: ScanLimits): void {
  if (position.tar <= limits.maxCompressionRatio * position.compressed) return;
  throw limitExceeded(
    path,
    `at most ${limits.maxCompressionRatio} times the compressed bytes`,
    `${position.tar} bytes out of the first ${position.compressed}`,
  );
}
