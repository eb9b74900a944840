import { type ImageReference, type ImageSource, type ScanRequest } from '../../pipeline/ports.ts';

/** Lays images end to end into packs of at most `packBytes`, one of which is in memory. */
export interface Packer {
  /** @param bytes at most `packBytes` of them; copied */
  add(path: string, bytes: Uint8Array): Promise<ImageReference>;
  /** Writes the last pack. */
  end(): Promise<void>;
}

/** @param sources gets a source per pack, in the order of the references */
export function createPacker(writePack: ScanRequest['writePack'], sources: ImageSource[], packBytes: number): Packer {
  let pack: Buffer | null = null;
  let fill = 0;

  const flush = async () => {
    if (!pack || fill === 0) return;
    sources.push(await writePack(pack.subarray(0, fill)));
    fill = 0;
  };

  return {
    async add(path, bytes) {
      pack ??= Buffer.allocUnsafeSlow(packBytes);
      if (fill + bytes.length > packBytes) await flush();
      const reference = { source: sources.length, path, bytes: bytes.length, offset: fill };
      pack.set(bytes, fill);
      fill += bytes.length;
      return reference;
    },
    async end() {
      await flush();
      pack = null;
    },
  };
}
