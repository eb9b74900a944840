import { throwIfAborted } from '../base/abort.ts';
import { PushforwardError } from '../base/errors.ts';
import {
  type DatasetEntry,
  type DecodeTarget,
  type ImageCodec,
  type PixelLayout,
  type Pixels,
  type StoredImage,
} from './ports.ts';

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
  stored: AsyncIterable<StoredImage>,
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
  source: AsyncIterator<StoredImage>,
  codec: ImageCodec,
  target: DecodeTarget,
  batch: number,
): Promise<DecodedBatch | null> {
  const decoding: Promise<Decoded>[] = [];
  while (decoding.length < batch) {
    const item = await source.next();
    if (item.done) break;
    const one = decodeOne(item.value, codec, target);
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
  { entry, bytes, pixels }: StoredImage,
  codec: ImageCodec,
  target: DecodeTarget,
): Promise<Decoded> {
  try {
    const decoded = pixels ? codec.fit(interleaved(bytes, pixels), target) : codec.decode(bytes, target);
    return { entry, pixels: (await decoded).data };
  } catch (error) {
    if (!(error instanceof PushforwardError)) throw error;
    if (error.code === 'CORRUPT_IMAGE') return { entry, reason: error.message };
    const { path } = entry.reference;
    throw new PushforwardError(error.code, `${path}: ${error.message}`, { ...error.details, path }, { cause: error });
  }
}

/** CORRUPT_IMAGE if the bytes are not as many as the layout says. */
function interleaved(bytes: Uint8Array, { width, height, channels, order }: PixelLayout): Pixels {
  const size = width * height;
  if (bytes.length !== size * channels) {
    throw new PushforwardError(
      'CORRUPT_IMAGE',
      `expected ${width}x${height}x${channels} bytes of pixels, got ${bytes.length}: import the dataset again`,
    );
  }
  if (order === 'interleaved' || channels === 1) return { data: bytes, width, height, channels };
  const data = new Uint8Array(bytes.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) data[i * channels + c] = bytes[c * size + i]!;
  }
  return { data, width, height, channels };
}
