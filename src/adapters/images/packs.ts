import { type ImageReference, type ImageSource, type ScanRequest } from '../../pipeline/ports.ts';
import { createPipe, type Pipe } from './pipe.ts';

/** Lays images end to end into packs of at most `packBytes`, which are stored while they grow. */
export interface Packer extends AsyncDisposable {
  /**
   * @param bytes at most `packBytes` of them; copied
   * @returns a promise only where a buffer must come free first: few do, and to wait for all would cost as much as to copy them
   */
  add(path: string, bytes: Uint8Array): ImageReference | Promise<ImageReference>;
  /** Ends the last pack. Disposing of a packer without that gives the pack up. */
  end(): Promise<void>;
}

/** @param sources gets a source per pack, in the order of the references */
export function createPacker(writePack: ScanRequest['writePack'], sources: ImageSource[], packBytes: number): Packer {
  let pack: { pipe: Pipe; bytes: number; stored: Promise<ImageSource> } | null = null;

  const begin = () => {
    const pipe = createPipe();
    const stored = writePack(pipe.pieces);
    // Who stores must not wait for pieces that nobody takes: what went wrong is told by the next write, or the end.
    stored.catch((error: unknown) => pipe.abandon(error));
    return { pipe, bytes: 0, stored };
  };

  const end = async () => {
    if (!pack) return;
    await pack.pipe.end();
    sources.push(await pack.stored);
    pack = null;
  };

  const add: Packer['add'] = (path, bytes) => {
    if (pack && pack.bytes + bytes.length > packBytes) return end().then(() => add(path, bytes));
    pack ??= begin();
    const reference = { source: sources.length, path, bytes: bytes.length, offset: pack.bytes };
    pack.bytes += bytes.length;
    return pack.pipe.write(bytes)?.then(() => reference) ?? reference;
  };

  return {
    add,
    end,
    async [Symbol.asyncDispose]() {
      pack?.pipe.abandon(new Error('the pack was given up'));
      await pack?.stored.catch(() => {});
    },
  };
}
