import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { CHUNK_SIZES, type ChunkSizes, ChunkCutter } from '../../../src/pipeline/dataset/chunks.ts';
import { chunkDigest } from '../../../src/pipeline/dataset/digest.ts';
import { beginningOf, type DigestBytes } from '../../../src/pipeline/dataset/digest-bytes.ts';

const digests = (n: number, from = 0) => Array.from({ length: n }, (_, i) => sha256(`image ${from + i}`)).sort();

function digestBytes(digest: string): DigestBytes {
  const bytes = Buffer.from(digest, 'latin1');
  return { bytes, at: 0, beginning: beginningOf(bytes, 0) };
}

function cut(images: string[], sizes: ChunkSizes = CHUNK_SIZES) {
  const cutter = new ChunkCutter(sizes);
  cutter.begin({ label: 0, className: 'cat', keep: null });
  for (const digest of images) cutter.add(digestBytes(digest), 10);
  return cutter.end();
}

describe('chunks', () => {
  it('are between min and max, about the target, and cover the images without a gap', () => {
    const images = digests(100_000);
    const chunks = cut(images);
    expect(chunks.reduce((sum, { count }) => sum + count, 0)).toBe(images.length);
    expect(images.length / chunks.length).toBeGreaterThan(800);
    expect(images.length / chunks.length).toBeLessThan(1200);
    for (const { count } of chunks.slice(0, -1)) expect(count).toBeGreaterThanOrEqual(CHUNK_SIZES.min);
    for (const { count } of chunks) expect(count).toBeLessThanOrEqual(CHUNK_SIZES.max);
    let at = 0;
    for (const chunk of chunks) {
      expect(chunk.offset).toBe(at * 10);
      expect(chunk.bytes).toBe(chunk.count * 10);
      const own = images.slice(at, at + chunk.count).map((digest) => ({ sha256: digest }));
      expect(chunk.digest).toBe(chunkDigest('cat', own));
      at += chunk.count;
    }
  });

  it('change only beside an image that is added or taken away', () => {
    const images = digests(50_000);
    const before = new Set(cut(images).map(({ digest }) => digest));
    for (const changed of [[...images, sha256('one more')].sort(), images.filter((_, i) => i !== 20_000)]) {
      const fresh = cut(changed).filter(({ digest }) => !before.has(digest));
      expect(fresh.length).toBeGreaterThan(0);
      expect(fresh.length).toBeLessThanOrEqual(4);
    }
  });

  it('end with the class and with a chunk that is kept', () => {
    const cutter = new ChunkCutter(CHUNK_SIZES);
    const add = (label: number, keep: string | null, count: number) => {
      cutter.begin({ label, className: `c${label}`, keep });
      for (let i = 0; i < count; i++) cutter.add(digestBytes(sha256(`${label}${keep}${i}`)), 1);
    };
    add(0, '00000001', 1);
    add(0, '00000002', 2);
    add(0, null, 1);
    add(1, null, 1);
    expect(cutter.end().map(({ className, count }) => [className, count])).toEqual([
      ['c0', 1],
      ['c0', 2],
      ['c0', 1],
      ['c1', 1],
    ]);
  });

  it('of the same images in another class are others', () => {
    expect(chunkDigest('cat', [{ sha256: 'a' }])).not.toBe(chunkDigest('dog', [{ sha256: 'a' }]));
  });
});
