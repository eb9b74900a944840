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
  let last: string | null = null;
  let quoted = '';
  return {
    add(className, sha256) {
      if (className !== last) quoted = JSON.stringify(className);
      last = className;
      waiting += `[${quoted},"${sha256}"]\n`;
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
  // Joined, not added one by one: a string of thousands of parts costs 2.5 times as much to put together.
  const lines = Array.from(images, ({ sha256 }) => sha256);
  return hash.update([...lines, ''].join('\n')).digest('hex');
}
