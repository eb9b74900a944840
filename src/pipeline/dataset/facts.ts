import { throwIfAborted } from '../../base/abort.ts';
import { PairDigest } from './digest.ts';
import { compareDigests } from './digest-bytes.ts';
import { type Keeping, keeping } from './keep.ts';
import { parseGroup } from './records.ts';
import { type RecordSorter } from './sort.ts';
import { type StoredRecord } from './stored-record.ts';
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
  const found = new FactsFound();
  const stayed = new Map<string, number>();
  await using old = before && keeping(before.sorted());
  for await (const batch of images.sorted()) {
    throwIfAborted(signal);
    const waiting = digests.copyDigests(found.take(batch), '');
    if (waiting) await waiting;
    if (old) await countStayed(batch, old, stayed);
  }
  const { digest, classes, withinClass } = found;
  const total = classes.reduce((sum, { images: count }) => sum + count, 0);
  const acrossClasses = await countRepeated(digests);
  return { digest: digest.end(), images: total, classes, duplicates: { withinClass, acrossClasses }, stayed };
}

class FactsFound {
  readonly digest = new PairDigest();
  readonly classes: { name: string; images: number }[] = [];
  withinClass = 0;
  private last: StoredRecord | null = null;

  /** @returns one of each that are equal */
  take(batch: readonly StoredRecord[]): StoredRecord[] {
    const distinct: StoredRecord[] = [];
    for (const record of batch) {
      const alike = this.last?.groupNumber === record.groupNumber;
      if (!alike) {
        const name = parseGroup(record.group).className;
        this.classes.push({ name, images: 0 });
        this.digest.begin(name);
      }
      this.classes.at(-1)!.images += 1;
      this.digest.add(record);
      if (alike && compareDigests(this.last!, record) === 0) this.withinClass += 1;
      else distinct.push(record);
      this.last = record;
    }
    this.last = this.last?.copy() ?? null;
    return distinct;
  }
}

async function countStayed(batch: readonly StoredRecord[], old: Keeping, stayed: Map<string, number>): Promise<void> {
  for (const record of batch) {
    const found = old.find(parseGroup(record.group).className, record);
    const chunk = found instanceof Promise ? await found : found;
    if (chunk !== null) stayed.set(chunk, (stayed.get(chunk) ?? 0) + 1);
  }
}

async function countRepeated(sorter: RecordSorter): Promise<number> {
  let repeated = 0;
  let last: StoredRecord | null = null;
  for await (const batch of sorter.sorted()) {
    repeated += repeatedIn(batch, last);
    last = batch.at(-1)!.copy();
  }
  return repeated;
}

/** Of records in order, those that are equal to the one before. */
function repeatedIn(batch: readonly StoredRecord[], before: StoredRecord | null): number {
  let repeated = 0;
  let last = before;
  for (const record of batch) {
    if (last && compareDigests(last, record) === 0) repeated += 1;
    last = record;
  }
  return repeated;
}
