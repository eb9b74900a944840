import { throwIfAborted } from '../../base/abort.ts';
import { pairDigest } from './digest.ts';
import { keeping } from './keep.ts';
import { parseLine } from './lines.ts';
import { type LineSorter } from './sort.ts';
import { type DatasetVersionContent } from './version.ts';

/** What one walk along the sorted images tells. */
export interface ImageFacts extends Pick<DatasetVersionContent, 'digest' | 'images' | 'classes' | 'duplicates'> {
  /** How many images are still there of each chunk of the version before. */
  stayed: Map<string, number>;
}

/**
 * @param images sorted by (class name, sha256)
 * @param before images of the version before, or null
 * @param digests an empty sorter: duplicates in different classes are neighbours only by digest
 */
export async function takeFacts(
  images: LineSorter,
  before: LineSorter | null,
  digests: LineSorter,
  signal?: AbortSignal,
): Promise<ImageFacts> {
  const digest = pairDigest();
  const classes: { name: string; images: number }[] = [];
  const stayed = new Map<string, number>();
  await using old = before && keeping(before.sorted());
  let withinClass = 0;
  let last = '';
  for await (const batch of images.sorted()) {
    throwIfAborted(signal);
    for (const line of batch) {
      const { className, sha256 } = parseLine(line);
      digest.add(className, sha256);
      const known = classes.at(-1);
      if (known?.name === className) {
        known.images += 1;
        if (sha256 === last) withinClass += 1;
        else await digests.add(sha256);
      } else {
        classes.push({ name: className, images: 1 });
        await digests.add(sha256);
      }
      last = sha256;
      const chunk = old && (await old.find(className, sha256));
      if (chunk) stayed.set(chunk, (stayed.get(chunk) ?? 0) + 1);
    }
  }
  const total = classes.reduce((sum, { images: count }) => sum + count, 0);
  const acrossClasses = await countRepeated(digests);
  return { digest: digest.end(), images: total, classes, duplicates: { withinClass, acrossClasses }, stayed };
}

async function countRepeated(sorter: LineSorter): Promise<number> {
  let repeated = 0;
  let last = '';
  for await (const batch of sorter.sorted()) {
    for (const line of batch) {
      if (line === last) repeated += 1;
      last = line;
    }
  }
  return repeated;
}
