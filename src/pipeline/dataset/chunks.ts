import { chunkDigest } from './digest.ts';
import { type DatasetChunk } from './version.ts';

/** Sizes of chunks, in images. */
export interface ChunkSizes {
  min: number;
  /** On average. */
  target: number;
  max: number;
}

/** Large enough that a task is worth a process and a manifest, small beside a class of a large dataset. */
export const CHUNK_SIZES: ChunkSizes = { min: 256, target: 1024, max: 4096 };

/**
 * Whether a chunk of `count` images ends after this one. The image alone decides between min and max, so that one image
 * more moves only the boundaries beside it. Looks at the end of the digest: the images come in the order of its beginning.
 */
export function endsChunk(sha256: string, count: number, { min, target, max }: ChunkSizes): boolean {
  if (count >= max) return true;
  if (count < min) return false;
  const uniform = Number.parseInt(sha256.slice(-8), 16) / 2 ** 32;
  return uniform < 1 / Math.max(1, target - min);
}

/** Gathers entries to chunks. */
export interface ChunkCutter {
  /**
   * @param keep the chunk of the version before that the image stays in, or null if it has none
   * @param bytes of its line in the entries blob
   */
  add(image: { label: number; className: string; sha256: string; keep: string | null; bytes: number }): void;
  end(): DatasetChunk[];
}

/** Images come class by class, within a class by kept chunk, those without one last. */
export function createChunkCutter(sizes: ChunkSizes): ChunkCutter {
  const chunks: DatasetChunk[] = [];
  let open: {
    label: number;
    className: string;
    keep: string | null;
    digests: { sha256: string }[];
    bytes: number;
  } | null = null;
  let offset = 0;

  const close = () => {
    if (!open) return;
    const { label, className, digests, bytes } = open;
    chunks.push({ label, className, offset, bytes, count: digests.length, digest: chunkDigest(className, digests) });
    offset += bytes;
    open = null;
  };

  return {
    add(image) {
      const { label, className, sha256, keep, bytes } = image;
      if (open && (open.label !== label || open.keep !== keep)) close();
      open ??= { label, className, keep, digests: [], bytes: 0 };
      open.digests.push(image);
      open.bytes += bytes;
      if (keep === null && endsChunk(sha256, open.digests.length, sizes)) close();
    },
    end() {
      close();
      return chunks;
    },
  };
}
