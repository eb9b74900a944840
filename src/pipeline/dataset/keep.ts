import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ObjectStore } from '../ports.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { lineOf, parseLine } from './lines.ts';
import { type LineSorter } from './sort.ts';
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
  into: LineSorter,
): Promise<void> {
  const chunks = await readChunks(store, projectId, previous);
  for (const [number, chunk] of chunks.entries()) {
    for (const { sha256 } of await readEntries(store, projectId, previous, chunk)) {
      await into.add(`${chunk.className}\0${sha256}\0${String(number).padStart(8, '0')}`);
    }
  }
}

/** The images again, by class and by the chunk they stay in; those that stay nowhere come last in their class. */
export async function regroup(of: {
  images: LineSorter;
  before: LineSorter;
  /** Chunks of the version before that are taken over. */
  kept: ReadonlySet<string>;
  into: LineSorter;
  signal?: AbortSignal | undefined;
}): Promise<LineSorter> {
  await using old = keeping(of.before.sorted());
  for await (const batch of of.images.sorted()) {
    throwIfAborted(of.signal);
    for (const line of batch) {
      const image = parseLine(line);
      const chunk = await old.find(image.className, image.sha256);
      await of.into.add(chunk !== null && of.kept.has(chunk) ? lineOf({ ...image, keep: chunk }) : line);
    }
  }
  return of.into;
}

/** Walks along the sorted images of the version before. */
export function keeping(sorted: AsyncIterable<string[]>): Keeping {
  const batches = sorted[Symbol.asyncIterator]();
  let batch: string[] = [];
  let next = 0;
  let ended = false;

  const peek = async (): Promise<string | null> => {
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
      const key = `${className}\0${sha256}\0`;
      for (;;) {
        const line = next < batch.length ? batch[next]! : await peek();
        if (line === null || line > `${key}\uffff`) return null;
        if (line >= key) {
          next += 1;
          return line.slice(key.length);
        }
        next += 1;
      }
    },
    async [Symbol.asyncDispose]() {
      await batches.return?.();
    },
  };
}
