import { throwIfAborted } from '../base/abort.ts';
import { PushforwardError } from '../base/errors.ts';
import { type DatasetEntry, type DecodeTarget, type ImageCodec } from './ports.ts';

/** A type, so that it is a JsonObject. */
export type SkippedImage = { path: string; sha256: string; reason: string };

export interface DecodedBatch {
  /** (b, height, width, channels), 8 bits; corrupt images are left out. */
  pixels: Uint8Array;
  /** (b,) sha256 of the stored bytes, hexadecimal */
  digests: string[];
  /** (b,) */
  paths: string[];
  skipped: SkippedImage[];
}

/**
 * Decodes stored images in batches. The next batch is read and decoded while the caller works on this one; no more than
 * two are in memory.
 */
export async function* decodedBatches(
  stored: AsyncIterable<{ entry: DatasetEntry; bytes: Uint8Array }>,
  codec: ImageCodec,
  target: DecodeTarget,
  batch: number,
  signal: AbortSignal,
): AsyncGenerator<DecodedBatch> {
  const source = stored[Symbol.asyncIterator]();
  const next = () => decodeBatch(source, codec, target, batch);
  let ahead = next();
  try {
    for (;;) {
      const current = await ahead;
      if (current === null) return;
      throwIfAborted(signal);
      ahead = next();
      ahead.catch(() => {});
      yield current;
    }
  } finally {
    await ahead.catch(() => {});
    await source.return?.();
  }
}

type Decoded = { entry: DatasetEntry; pixels: Uint8Array } | { entry: DatasetEntry; reason: string };

async function decodeBatch(
  source: AsyncIterator<{ entry: DatasetEntry; bytes: Uint8Array }>,
  codec: ImageCodec,
  target: DecodeTarget,
  batch: number,
): Promise<DecodedBatch | null> {
  const decoding: Promise<Decoded>[] = [];
  while (decoding.length < batch) {
    const item = await source.next();
    if (item.done) break;
    const one = decodeOne(item.value.entry, item.value.bytes, codec, target);
    // It may fail while the next image is still being read; the failure is taken up below.
    one.catch(() => {});
    decoding.push(one);
  }
  if (decoding.length === 0) return null;
  const decoded = await Promise.all(decoding);
  const good = decoded.filter((item) => 'pixels' in item);
  const size = target.width * target.height * target.channels;
  const pixels = new Uint8Array(good.length * size);
  good.forEach((item, i) => pixels.set(item.pixels, i * size));
  return {
    pixels,
    digests: good.map(({ entry }) => entry.sha256),
    paths: good.map(({ entry }) => entry.reference.path),
    skipped: decoded
      .filter((item) => 'reason' in item)
      .map(({ entry, reason }) => ({ path: entry.reference.path, sha256: entry.sha256, reason })),
  };
}

async function decodeOne(
  entry: DatasetEntry,
  bytes: Uint8Array,
  codec: ImageCodec,
  target: DecodeTarget,
): Promise<Decoded> {
  try {
    return { entry, pixels: (await codec.decode(bytes, target)).data };
  } catch (error) {
    if (!(error instanceof PushforwardError)) throw error;
    if (error.code === 'CORRUPT_IMAGE') return { entry, reason: error.message };
    const { path } = entry.reference;
    throw new PushforwardError(error.code, `${path}: ${error.message}`, { ...error.details, path }, { cause: error });
  }
}
