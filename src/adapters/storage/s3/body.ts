import { createHash, randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../../base/json.ts';
import { storeFailure } from '../failures.ts';

/** A body that can be sent more than once, because a conflict restarts an upload. */
export interface Body extends AsyncDisposable {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  part(offset: number, bytes: number): Promise<Uint8Array>;
}

/**
 * Bytes stay where they are. What comes in pieces is kept in memory up to a limit, and beyond it in a temporary file
 * that has no name, so that a process that dies leaves nothing. An error of the pieces is thrown as it is.
 */
export async function gather(body: Uint8Array | AsyncIterable<Uint8Array>, memoryBytes: number): Promise<Body> {
  if (body instanceof Uint8Array) return inMemory(body, sha256(body));
  const hash = createHash('sha256');
  let kept: Uint8Array[] = [];
  let bytes = 0;
  let file: FileHandle | null = null;
  try {
    for await (const piece of body) {
      hash.update(piece);
      // Whoever yields a piece may write to its memory afterwards.
      kept.push(Uint8Array.from(piece));
      bytes += piece.length;
      if (bytes <= memoryBytes) continue;
      file ??= await spooling(openNameless);
      await spooling(() => writeAll(file!, kept));
      kept = [];
    }
  } catch (error) {
    await file?.close();
    throw error;
  }
  const digest = hash.digest('hex');
  return file ? inFile(file, bytes, digest) : inMemory(Buffer.concat(kept), digest);
}

function inMemory(whole: Uint8Array, digest: string): Body {
  return {
    bytes: whole.length,
    sha256: digest,
    part: async (offset, bytes) => whole.subarray(offset, offset + bytes),
    [Symbol.asyncDispose]: async () => {},
  };
}

function inFile(file: FileHandle, bytes: number, digest: string): Body {
  return {
    bytes,
    sha256: digest,
    async part(offset, length) {
      const into = new Uint8Array(Math.min(length, bytes - offset));
      for (let done = 0; done < into.length;) {
        const { bytesRead } = await spooling(() => file.read(into, done, into.length - done, offset + done));
        if (bytesRead === 0) throw new Error(`expected ${bytes} bytes in a temporary file, got ${offset + done}`);
        done += bytesRead;
      }
      return into;
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `pushforward-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await file.writeFile(piece);
}

async function spooling<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storeFailure(error, 'keep an upload in a temporary file');
  }
}
