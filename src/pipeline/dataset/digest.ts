import { createHash } from 'node:crypto';
import { DIGEST_BYTES, type DigestBytes } from './digest-bytes.ts';

/**
 * What a version is, fed class by class: JSON of [class name, sha256] and a line feed for each image, in sorted order.
 */
export class PairDigest {
  private readonly lines = new HashedLines('');

  /** The class of the images to come. */
  begin(className: string): void {
    this.lines.frame(`[${JSON.stringify(className)},"`, '"]\n');
  }

  add(image: DigestBytes): void {
    this.lines.add(image);
  }

  /** Lower-case hexadecimal SHA-256. */
  end(): string {
    return this.lines.end();
  }
}

/** Names the images of one chunk: what an encode task is keyed by. */
export class ChunkDigest {
  private readonly lines: HashedLines;

  constructor(className: string) {
    this.lines = new HashedLines(`${JSON.stringify(className)}\n`);
    this.lines.frame('', '\n');
  }

  add(image: DigestBytes | string): void {
    this.lines.add(image);
  }

  end(): string {
    return this.lines.end();
  }
}

export function chunkDigest(className: string, images: Iterable<{ sha256: string }>): string {
  const digest = new ChunkDigest(className);
  for (const { sha256 } of images) digest.add(sha256);
  return digest.end();
}

const PIECE_BYTES = 16 * 1024;

/**
 * The SHA-256 of a text of lines with a digest in each, which is written into a frame that is there already: to put each line
 * together takes three times as long.
 */
class HashedLines {
  private readonly hash = createHash('sha256');
  private piece = Buffer.alloc(0);
  private before = 0;
  private lineBytes = 0;
  private filled = 0;

  /** @param first what comes before all lines */
  constructor(first: string) {
    this.hash.update(first);
  }

  /** What the lines to come have around the digest. */
  frame(head: string, tail: string): void {
    this.flush();
    const line = Buffer.from(head + '0'.repeat(DIGEST_BYTES) + tail);
    this.before = Buffer.byteLength(head);
    this.lineBytes = line.length;
    this.piece = Buffer.alloc(line.length * Math.ceil(PIECE_BYTES / line.length), line);
  }

  add(image: DigestBytes | string): void {
    const at = this.filled + this.before;
    if (typeof image === 'string') this.piece.write(image, at, 'latin1');
    else image.bytes.copy(this.piece, at, image.at, image.at + DIGEST_BYTES);
    this.filled += this.lineBytes;
    if (this.filled === this.piece.length) this.flush();
  }

  end(): string {
    this.flush();
    return this.hash.digest('hex');
  }

  private flush(): void {
    this.hash.update(this.piece.subarray(0, this.filled));
    this.filled = 0;
  }
}
