import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ObjectStore } from '../ports.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { compareDigests, type DigestBytes } from './digest-bytes.ts';
import { groupOf, parseGroup, TEXT } from './records.ts';
import { type RecordSorter } from './sort.ts';
import { type StoredRecord } from './stored-record.ts';
import { readChunks, readEntries } from './version.ts';

/**
 * Which images stay in which chunk of the version before. Samples are ordered by digest, so new images fall between old
 * ones everywhere, and chunks cut afresh would all be new: instead old images stay where they are and new ones make
 * chunks of their own. A chunk below the smallest size is dissolved, so that many small additions do not leave many
 * small chunks. Holds sorted runs open until it is disposed of.
 */
export interface Keeping extends AsyncDisposable {
  /**
   * For images in order of (class name, sha256): the chunk that this one was in, or null. A promise only where more must be
   * read first; to be awaited before the next call.
   */
  find(className: string, image: DigestBytes): string | null | Promise<string | null>;
}

/** Puts the images of the version before into the sorter, in the form that `keeping` reads. */
export async function sortPrevious(
  store: ObjectStore,
  projectId: string,
  previous: ArtifactManifest,
  into: RecordSorter,
): Promise<void> {
  const chunks = await readChunks(store, projectId, previous);
  for (const [number, chunk] of chunks.entries()) {
    const alike = { group: chunk.className, rest: String(number).padStart(8, '0') };
    const entries = await readEntries(store, projectId, previous, chunk);
    await into.add(
      entries.map(({ sha256 }) => ({ sha256, ...alike })),
      TEXT,
    );
  }
}

/** The images again, by class and by the chunk they stay in; those that stay nowhere come last in their class. */
export async function regroup(of: {
  images: RecordSorter;
  before: RecordSorter;
  /** Chunks of the version before that are taken over. */
  kept: ReadonlySet<string>;
  into: RecordSorter;
  signal?: AbortSignal | undefined;
}): Promise<RecordSorter> {
  await using old = keeping(of.before.sorted());
  for await (const batch of of.images.sorted()) {
    throwIfAborted(of.signal);
    for (const record of batch) {
      const { className } = parseGroup(record.group);
      const found = old.find(className, record);
      const chunk = found instanceof Promise ? await found : found;
      const stays = chunk !== null && of.kept.has(chunk);
      const waiting = of.into.copy(record, stays ? groupOf({ className, keep: chunk }) : record.group);
      if (waiting) await waiting;
    }
  }
  return of.into;
}

/** Walks along the sorted images of the version before. */
export function keeping(sorted: AsyncIterable<StoredRecord[]>): Keeping {
  const batches = sorted[Symbol.asyncIterator]();
  let batch: StoredRecord[] = [];
  let next = 0;
  let ended = false;

  const readOn = async () => {
    const following = await batches.next();
    ended = following.done === true;
    batch = following.done ? [] : following.value;
    next = 0;
  };

  const find: Keeping['find'] = (className, image) => {
    while (next < batch.length) {
      const record = batch[next]!;
      const { group } = record;
      const order = group === className ? compareDigests(record, image) : group < className ? -1 : 1;
      if (order > 0) return null;
      next += 1;
      if (order === 0) return record.rest;
    }
    return ended ? null : readOn().then(() => find(className, image));
  };

  return {
    find,
    async [Symbol.asyncDispose]() {
      await batches.return?.();
    },
  };
}
