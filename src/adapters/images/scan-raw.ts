import { hash } from 'node:crypto';
import { invalid } from '../../base/errors.ts';
import {
  type ImageSource,
  type PixelLayout,
  type ScannedImage,
  type ScanRequest,
  type ScanSummary,
  type SourceScan,
} from '../../pipeline/ports.ts';
import { type ScanLimits } from './limits.ts';
import { byCodeUnit } from '../../base/order.ts';
import { createPacker } from './packs.ts';
import { type Batch, type RawFile, recordsOfBatches } from './raw-file.ts';
import { checkUnchanged, type FileState, fileState, limitExceeded, type SourceFiles } from './source-file.ts';
import { type SplitChoice } from './splits.ts';

/** A file of records of one length, each of which ends in the pixels of one image. */
export interface RawImages extends RawFile {
  /** In the order of their offsets. */
  batches: RawBatch[];
  /** Whether it has nothing but a header, the only batch of it and its end. */
  whole: boolean;
  /** Bytes of a record before its pixels. */
  prefixBytes: number;
  /** The label of a record of a batch. */
  labelOf(record: Uint8Array, index: number): number;
}

export interface RawBatch extends Batch {
  /** What its images are called after. */
  name: string;
}

export interface RawDataset extends SplitChoice {
  format: ScanSummary['format'];
  files: RawImages[];
  pixels: PixelLayout;
  /** By label; null: labels are named by their numbers. */
  classNames: string[] | null;
}

/** Raw pixels: in place where they can be read at random, and packed where they are compressed. */
export async function scanRaw(
  request: ScanRequest,
  files: SourceFiles,
  dataset: RawDataset,
  limits: ScanLimits,
): Promise<SourceScan> {
  const { format, pixels, classNames, split, splits } = dataset;
  const imageBytes = pixels.width * pixels.height * pixels.channels;
  if (imageBytes > limits.maxImageBytes) {
    throw limitExceeded(request.path, `images of at most ${limits.maxImageBytes} bytes`, `${imageBytes}`);
  }
  const wanted = request.classes && new Set(request.classes);
  const found = new Set<string>();
  const states: FileState[] = [];
  for (const { path } of dataset.files) states.push(await fileState(files, path));
  // Sources in place come first: packs are added behind them as they fill.
  const sources: ImageSource[] = [];
  const sourceOf = dataset.files.map(({ path, gzip }, i): number | null => {
    if (gzip) return null;
    return sources.push({ kind: 'file', uri: path, format: 'raw', ...states[i]!, pixels }) - 1;
  });

  async function* images(): AsyncGenerator<ScannedImage[]> {
    const writePack: ScanRequest['writePack'] = async (pieces) => ({ ...(await request.writePack(pieces)), pixels });
    await using packer = createPacker(writePack, sources, limits.packBytes);
    for (const [i, file] of dataset.files.entries()) {
      const { path, prefixBytes, batches, whole } = file;
      const recordBytes = prefixBytes + imageBytes;
      const source = sourceOf[i]!;
      let batch = 0;
      for await (const record of recordsOfBatches(files, file, { recordBytes, batches, whole }, request.signal)) {
        while (record.offset >= batches[batch]!.offset + recordBytes * batches[batch]!.count) batch += 1;
        const row = (record.offset - batches[batch]!.offset) / recordBytes;
        const name = `${batches[batch]!.name}#${row}`;
        const className = nameOf(file.labelOf(record.bytes, row), classNames, name);
        found.add(className);
        if (wanted && !wanted.has(className)) continue;
        const bytes = record.bytes.subarray(prefixBytes);
        const offset = record.offset + prefixBytes;
        const reference =
          source === null ? await packer.add(name, bytes) : { source, path: name, bytes: imageBytes, offset };
        yield [{ className, sha256: hash('sha256', bytes), reference }];
      }
      await checkUnchanged(files, path, states[i]!);
    }
    await packer.end();
  }

  return {
    images: images(),
    summary: () => ({
      format,
      sources,
      split,
      splits,
      emptyClasses: (classNames ?? []).filter((name) => !found.has(name)).sort(byCodeUnit),
      ignored: { count: 0, examples: [] },
    }),
  };
}

/** INVALID_INPUT if the label is no whole number, or the names have none for it. */
export function nameOf(label: number, classNames: readonly string[] | null, where: string): string {
  const counted = Number.isInteger(label) && label >= 0;
  const name = classNames ? classNames[label] : counted ? String(label) : undefined;
  if (name !== undefined) return name;
  throw invalid(
    `expected a label of ${classNames ? `0 to ${classNames.length - 1}` : '0 or more'} for ${where}, got ${label}: ` +
      (label === -1
        ? 'choose a split that has labels, -1 says that it has none'
        : 'correct the label, or name every class'),
  );
}
