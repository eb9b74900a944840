import { ChunkDigest } from './digest.ts';
import { type DigestBytes, endOf } from './digest-bytes.ts';
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
export function endsChunk(image: DigestBytes, count: number, { min, target, max }: ChunkSizes): boolean {
  if (count >= max) return true;
  if (count < min) return false;
  return endOf(image) / 2 ** 32 < 1 / Math.max(1, target - min);
}

export interface ImagesAlike {
  label: number;
  className: string;
  /** The chunk of the version before that they stay in, or null if they have none. */
  keep: string | null;
}

/** Gathers entries to chunks. Images come class by class, within a class by kept chunk, those without one last. */
export class ChunkCutter {
  private readonly sizes: ChunkSizes;
  private readonly chunks: DatasetChunk[] = [];
  private alike: ImagesAlike = { label: -1, className: '', keep: null };
  private open: { count: number; bytes: number; digest: ChunkDigest } | null = null;
  private offset = 0;

  constructor(sizes: ChunkSizes) {
    this.sizes = sizes;
  }

  /** Of the images to come. */
  begin(of: ImagesAlike): void {
    this.close();
    this.alike = of;
  }

  /** @param bytes of its line in the entries blob */
  add(image: DigestBytes, bytes: number): void {
    const open = (this.open ??= { count: 0, bytes: 0, digest: new ChunkDigest(this.alike.className) });
    open.count += 1;
    open.bytes += bytes;
    open.digest.add(image);
    if (this.alike.keep === null && endsChunk(image, open.count, this.sizes)) this.close();
  }

  end(): DatasetChunk[] {
    this.close();
    return this.chunks;
  }

  private close(): void {
    if (!this.open) return;
    const { label, className } = this.alike;
    const { count, bytes, digest } = this.open;
    this.chunks.push({ label, className, offset: this.offset, bytes, count, digest: digest.end() });
    this.offset += bytes;
    this.open = null;
  }
}
