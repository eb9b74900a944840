import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ObjectStore } from '../ports.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { compareRecords, groupOf, parseGroup, type SortRecord } from './records.ts';
import { type RecordSorter } from './sort.ts';
import { readChunks, readEntries } from './version.ts';

/**
 * Which images stay in which chunk of the version before. Samples are ordered by digest, so new images fall between old
 * ones everywhere, and chunks cut afresh would all be new: instead old images stay where they are and new ones make
 * chunks of their own. A chunk below the smallest size is dissolved, so that many small additions do not leave many
 * small chunks.
 */
/** Holds sorted runs open until it is disposed of. */
export interface Keeping extends AsyncDisposable {
  /** For images in order of (class name, sha256): the chunk that this one was in, or null. Counts what it found. */
  find(className: string, sha256: string): Promise<string | null>;
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
    for (const { sha256 } of await readEntries(store, projectId, previous, chunk)) {
      await into.add({ group: chunk.className, sha256, rest: String(number).padStart(8, '0') });
    }
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
      const { sha256, rest } = record;
      const { className } = parseGroup(record.group);
      const chunk = await old.find(className, sha256);
      const stays = chunk !== null && of.kept.has(chunk);
      await of.into.add(stays ? { group: groupOf({ className, keep: chunk }), sha256, rest } : record);
    }
  }
  return of.into;
}

/** Walks along the sorted images of the version before. */
export function keeping(sorted: AsyncIterable<SortRecord[]>): Keeping {
  const batches = sorted[Symbol.asyncIterator]();
  let batch: SortRecord[] = [];
  let next = 0;
  let ended = false;

  const peek = async (): Promise<SortRecord | null> => {
    while (next === batch.length && !ended) {
      const following = await batches.next();
      ended = following.done === true;
      batch = following.done ? [] : following.value;
      next = 0;
    }
    return batch[next] ?? null;
  };

  return {
    async find(className, sha256) {
      for (;;) {
        const record = next < batch.length ? batch[next]! : await peek();
        if (record === null) return null;
        const order = compareRecords(record, { group: className, sha256, rest: record.rest });
        if (order > 0) return null;
        next += 1;
        if (order === 0) return record.rest;
      }
    },
    async [Symbol.asyncDispose]() {
      await batches.return?.();
    },
  };
}
