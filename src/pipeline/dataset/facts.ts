import { throwIfAborted } from '../../base/abort.ts';
import { pairDigest } from './digest.ts';
import { keeping } from './keep.ts';
import { parseGroup } from './records.ts';
import { type RecordSorter } from './sort.ts';
import { type DatasetVersionContent } from './version.ts';

/** What one walk along the sorted images tells. */
export interface ImageFacts extends Pick<DatasetVersionContent, 'digest' | 'images' | 'classes' | 'duplicates'> {
  /** How many images are still there of each chunk of the version before. */
  stayed: Map<string, number>;
}

/**
 * @param images all of a class in one group
 * @param before images of the version before, or null
 * @param digests an empty sorter: duplicates in different classes are neighbours only by digest
 */
export async function takeFacts(
  images: RecordSorter,
  before: RecordSorter | null,
  digests: RecordSorter,
  signal?: AbortSignal,
): Promise<ImageFacts> {
  const digest = pairDigest();
  const classes: { name: string; images: number }[] = [];
  const stayed = new Map<string, number>();
  await using old = before && keeping(before.sorted());
  let withinClass = 0;
  let last = '';
  let group = '';
  let known: { name: string; images: number } | undefined;
  for await (const batch of images.sorted()) {
    throwIfAborted(signal);
    for (const { group: own, sha256 } of batch) {
      if (!known || own !== group) {
        known = { name: parseGroup(own).className, images: 0 };
        classes.push(known);
        group = own;
        last = '';
      }
      known.images += 1;
      digest.add(known.name, sha256);
      if (sha256 === last) withinClass += 1;
      else {
        const waiting = digests.add({ group: '', sha256, rest: '' });
        if (waiting) await waiting;
      }
      last = sha256;
      const chunk = old && (await old.find(known.name, sha256));
      if (chunk) stayed.set(chunk, (stayed.get(chunk) ?? 0) + 1);
    }
  }
  const total = classes.reduce((sum, { images: count }) => sum + count, 0);
  const acrossClasses = await countRepeated(digests);
  return { digest: digest.end(), images: total, classes, duplicates: { withinClass, acrossClasses }, stayed };
}

async function countRepeated(sorter: RecordSorter): Promise<number> {
  let repeated = 0;
  let last = '';
  for await (const batch of sorter.sorted()) {
    for (const { sha256 } of batch) {
      if (sha256 === last) repeated += 1;
      last = sha256;
    }
  }
  return repeated;
}
