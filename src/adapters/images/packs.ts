import { type ImageReference, type ImageSource, type ScanRequest } from '../../pipeline/ports.ts';
import { createPipe, type Pipe } from './pipe.ts';

/** Lays images end to end into packs of at most `packBytes`, which are stored while they grow. */
export interface Packer extends AsyncDisposable {
  /**
   * @param bytes at most `packBytes` of them; copied
   * @returns a promise only where a buffer must come free first: few do, and to wait for all would cost as much as to copy them
   */
  add(path: string, bytes: Uint8Array): ImageReference | Promise<ImageReference>;
  /** As `add` of each. */
  addAll(images: readonly ImageToPack[]): ImageReference[] | Promise<ImageReference[]>;
  /** Ends the last pack. Disposing of a packer without that gives the pack up. */
  end(): Promise<void>;
}

export interface ImageToPack {
  path: string;
  bytes: Uint8Array;
}

/** @param sources gets a source per pack, in the order of the references */
export function createPacker(writePack: ScanRequest['writePack'], sources: ImageSource[], packBytes: number): Packer {
  return new PackWriter(writePack, sources, packBytes);
}

interface OpenPack {
  pipe: Pipe;
  bytes: number;
  stored: Promise<ImageSource>;
}

/** A class for the reason that the parser of tars is one. */
class PackWriter implements Packer {
  private readonly writePack: ScanRequest['writePack'];
  private readonly sources: ImageSource[];
  private readonly packBytes: number;
  private pack: OpenPack | null = null;

  constructor(writePack: ScanRequest['writePack'], sources: ImageSource[], packBytes: number) {
    this.writePack = writePack;
    this.sources = sources;
    this.packBytes = packBytes;
  }

  add(path: string, bytes: Uint8Array): ImageReference | Promise<ImageReference> {
    if (this.pack && this.pack.bytes + bytes.length > this.packBytes) return this.addToNext(path, bytes);
    const pack = (this.pack ??= this.begin());
    const reference = { source: this.sources.length, path, bytes: bytes.length, offset: pack.bytes };
    pack.bytes += bytes.length;
    const waiting = pack.pipe.write(bytes);
    return waiting ? after(waiting, reference) : reference;
  }

  addAll(images: readonly ImageToPack[]): ImageReference[] | Promise<ImageReference[]> {
    const references: ImageReference[] = [];
    for (let i = 0; i < images.length; i++) {
      const reference = this.add(images[i]!.path, images[i]!.bytes);
      if (reference instanceof Promise) return this.addRest(images, references, reference);
      references.push(reference);
    }
    return references;
  }

  async end(): Promise<void> {
    if (!this.pack) return;
    await this.pack.pipe.end();
    this.sources.push(await this.pack.stored);
    this.pack = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pack?.pipe.abandon(new Error('the pack was given up'));
    await this.pack?.stored.catch(() => {});
  }

  private async addRest(
    images: readonly ImageToPack[],
    before: ImageReference[],
    next: Promise<ImageReference>,
  ): Promise<ImageReference[]> {
    const reference = await next;
    const rest = await this.addAll(images.slice(before.length + 1));
    return [...before, reference, ...rest];
  }

  private begin(): OpenPack {
    const pipe = createPipe();
    const stored = this.writePack(pipe.pieces);
    // Who stores must not wait for pieces that nobody takes: what went wrong is told by the next write, or the end.
    stored.catch((error: unknown) => pipe.abandon(error));
    return { pipe, bytes: 0, stored };
  }

  private async addToNext(path: string, bytes: Uint8Array): Promise<ImageReference> {
    await this.end();
    return await this.add(path, bytes);
  }
}

async function after(waiting: Promise<void>, reference: ImageReference): Promise<ImageReference> {
  await waiting;
  return reference;
}
