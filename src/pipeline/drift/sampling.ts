import { byCodeUnit } from '../../base/order.ts';
import { randomStream } from '../../numerics/math/random.ts';

/** A number of an image that its digest and the seed alone decide, so that neither the order of images nor their chunks matter. */
export function samplingKeys(seed: number): (sha256: string) => number {
  const random = randomStream({ seed, classIndex: 0, purpose: 'drift sample' });
  return (sha256) => random.uniform(Number.parseInt(sha256.slice(0, 8), 16));
}

/**
 * The images with the smallest keys: a sample without repetition of those that were added, however they came. No more than a few times
 * `size` are in memory at once.
 */
export class SmallestKeys {
  private readonly size: number;
  private readonly keyOf: (sha256: string) => number;
  private kept: { sha256: string; key: number }[] = [];
  /** Nothing above it will be kept. */
  private limit = Infinity;

  constructor(size: number, seed: number) {
    this.size = size;
    this.keyOf = samplingKeys(seed);
  }

  add(sha256: string): void {
    const key = this.keyOf(sha256);
    if (key > this.limit) return;
    this.kept.push({ sha256, key });
    if (this.kept.length >= 4 * this.size) this.cut();
  }

  /** In the order of their digests, each once. */
  images(): string[] {
    this.cut();
    return this.kept.map((one) => one.sha256).sort(byCodeUnit);
  }

  private cut(): void {
    this.kept.sort((a, b) => a.key - b.key || byCodeUnit(a.sha256, b.sha256));
    this.kept = this.kept.filter((one, i) => one.sha256 !== this.kept[i - 1]?.sha256).slice(0, this.size);
    if (this.kept.length === this.size) this.limit = this.kept.at(-1)!.key;
  }
}
