import { describe, expect, it } from 'vitest';
import { PushforwardError } from '../../src/base/errors.ts';
import { decodedBatches } from '../../src/pipeline/images.ts';
import { type DatasetEntry, type ImageCodec } from '../../src/pipeline/ports.ts';

const TARGET = { width: 1, height: 1, channels: 1, maxPixels: 10 } as const;

async function* stored(count: number, between: () => Promise<void> = async () => {}) {
  for (let i = 0; i < count; i++) {
    const reference = { source: 0, path: `a/${i}.png`, bytes: 1 };
    yield { entry: { sha256: `${i}`, label: 0, reference } satisfies DatasetEntry, bytes: new Uint8Array([i]) };
    await between();
  }
}

function codec(decode: (value: number) => Uint8Array): ImageCodec {
  return {
    describe: () => 'fake',
    decode: async (bytes) => ({ data: decode(bytes[0]!), width: 1, height: 1, channels: 1 }),
    fit: (pixels) => Promise.resolve(pixels),
    encodePng: () => Promise.reject(new Error('not asked for')),
    renderSvg: () => Promise.reject(new Error('not asked for')),
  };
}

async function all(of: ReturnType<typeof decodedBatches>) {
  const batches = [];
  for await (const batch of of) batches.push(batch);
  return batches;
}

describe('decodedBatches', () => {
  const { signal } = new AbortController();

  it('keeps the order, cuts into batches and leaves corrupt images out by name', async () => {
    const decode = (value: number) => {
      if (value === 3) throw new PushforwardError('CORRUPT_IMAGE', 'broken');
      return new Uint8Array([value * 10]);
    };
    const batches = await all(decodedBatches(stored(5), codec(decode), TARGET, 2, signal));
    expect(batches.map(({ pixels }) => [...pixels])).toEqual([[0, 10], [20], [40]]);
    expect(batches.flatMap(({ skipped }) => skipped)).toEqual([{ path: 'a/3.png', sha256: '3', reason: 'broken' }]);
  });

  it('hands pixels on without decoding them, channel by channel where they lie so', async () => {
    const target = { width: 2, height: 1, channels: 3, maxPixels: 10 } as const;
    const never = codec(() => {
      throw new Error('not asked for');
    });
    async function* raw(length: number) {
      const entry = { sha256: '0', label: 0, reference: { source: 0, path: 'file#0', bytes: length } };
      const bytes = Uint8Array.from({ length }, (_, i) => i);
      yield { entry, bytes, pixels: { width: 2, height: 1, channels: 3, order: 'planar' } as const };
      yield { entry, bytes, pixels: { width: 2, height: 1, channels: 3, order: 'interleaved' } as const };
    }
    const [whole] = await all(decodedBatches(raw(6), never, target, 2, signal));
    expect([...whole!.pixels]).toEqual([0, 2, 4, 1, 3, 5, 0, 1, 2, 3, 4, 5]);
    const [cut] = await all(decodedBatches(raw(5), never, target, 2, signal));
    expect(cut!.skipped.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('2x1x3 bytes of pixels, got 5'),
      expect.stringContaining('2x1x3 bytes of pixels, got 5'),
    ]);
  });

  it('names the image that it refuses, also when it fails while the next is still being read', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const decode = (value: number) => {
      if (value === 0) throw new PushforwardError('IMAGE_TOO_LARGE', 'expected at most 10 pixels');
      return new Uint8Array([value]);
    };
    const slowly = () => new Promise<void>((done) => setImmediate(() => setImmediate(done)));
    const work = all(decodedBatches(stored(4, slowly), codec(decode), TARGET, 4, signal));
    await expect(work).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining('a/0.png') as string,
    });
    await new Promise((done) => setImmediate(done));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    stop.abort();
    const work = all(
      decodedBatches(
        stored(4),
        codec((value) => new Uint8Array([value])),
        TARGET,
        2,
        stop.signal,
      ),
    );
    await expect(work).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
