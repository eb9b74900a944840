import { createHash } from 'node:crypto';

/** A digest that is fed pair by pair: JSON of [class name, sha256] and a line feed each, in sorted order. */
export interface PairDigest {
  add(className: string, sha256: string): void;
  /** Lower-case hexadecimal SHA-256. */
  end(): string;
}

export function pairDigest(): PairDigest {
  const hash = createHash('sha256');
  let waiting = '';
  return {
    add(className, sha256) {
      waiting += `${JSON.stringify([className, sha256])}\n`;
      if (waiting.length < 65_536) return;
      hash.update(waiting);
      waiting = '';
    },
    end: () => hash.update(waiting).digest('hex'),
  };
}

/** Names the images of one chunk: what an encode task is keyed by. */
export function chunkDigest(className: string, images: Iterable<{ sha256: string }>): string {
  const hash = createHash('sha256').update(`${JSON.stringify(className)}\n`);
  let all = '';
  for (const { sha256 } of images) all += `${sha256}\n`;
  return hash.update(all).digest('hex');
}
