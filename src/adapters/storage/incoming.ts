import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, notFound } from '../../base/errors.ts';
import { checkFolderPrefix, checkKey } from '../../base/object-keys.ts';
import { type IncomingObjects, type IncomingPart, type ObjectStore } from '../../pipeline/ports.ts';
import { BodyFailure, isMissing } from './failures.ts';
import { type SignedPart } from './signed-url.ts';
import { makeFolder, removeTemporary, syncFolder, writeTemporary } from './temporary.ts';

/** Folders of a directory store. */
interface Folders {
  /** One folder per gathering, at `<key>/<gathering>`, with a file per part. */
  incoming: string;
  /** On the same file system. */
  temporary: string;
}

/** Gatherings end in it, so that none is taken for a segment of a key. */
const SUFFIX = '.parts';
const folderOf = ({ incoming }: Folders, key: string, gathering: string): string => join(incoming, key, gathering);
/** The digest is in the name: a part that was sent again with other bytes is another file. */
const nameOf = ({ number, sha256 }: IncomingPart): string => `${number}-${sha256}`;

/** All of `IncomingObjects` but the signatures, over files. */
export function directoryIncoming(
  folders: Folders,
  store: Pick<ObjectStore, 'put' | 'head'>,
): Omit<IncomingObjects, 'signPart'> {
  return {
    async begin(key) {
      checkKey(key);
      const gathering = randomUUID() + SUFFIX;
      await makeFolder(folderOf(folders, key, gathering));
      return gathering;
    },

    async complete(key, gathering, parts) {
      checkKey(key);
      const folder = folderOf(folders, key, gathering);
      const bytes = await partsThere(folder);
      if (bytes) {
        const missing = parts.filter((part) => bytes.get(nameOf(part)) !== part.bytes).map(({ number }) => number);
        if (missing.length > 0) return { state: 'incomplete', missing };
        try {
          await store.put(key, joined(folder, parts), { ifAbsent: true });
          await rm(folder, { recursive: true, force: true });
        } catch (error) {
          // Another who completes it was faster and took the parts away.
          if (!(error instanceof BodyFailure && isMissing(error.cause))) throw error;
        }
      }
      const expected = parts.reduce((sum, part) => sum + part.bytes, 0);
      return { state: (await store.head(key))?.bytes === expected ? 'complete' : 'gone' };
    },

    async abort(folder) {
      checkFolderPrefix(folder);
      await rm(join(folders.incoming, folder), { recursive: true, force: true });
    },
  };
}

/**
 * Keeps a part if it has the size and digest that its URL was signed for, and nothing of it otherwise.
 * @param announcedBytes what the sender says that it will send
 * @throws INVALID_INPUT for other bytes, NOT_FOUND once the object is complete or aborted
 */
export async function receivePart(
  folders: Folders,
  { key, gathering, part }: SignedPart,
  body: AsyncIterable<Uint8Array>,
  announcedBytes: number | null,
): Promise<void> {
  if (announcedBytes !== null && announcedBytes !== part.bytes) throw otherSize(part, String(announcedBytes));
  const folder = folderOf(folders, key, gathering);
  if (!(await isFolder(folder))) throw notFound('an unfinished upload of', key, 'begin the upload again');
  await mkdir(folders.temporary, { recursive: true });
  const file = await writeTemporary(folders.temporary, limited(body, part));
  try {
    if (file.bytes !== part.bytes) throw otherSize(part, String(file.bytes));
    if (file.sha256 !== part.sha256) {
      throw invalid(
        `expected part ${part.number} with SHA-256 ${part.sha256}, got ${file.sha256}: send the bytes that the URL was signed for`,
      );
    }
    await rename(file.path, join(folder, nameOf(part))).catch((error: unknown) => {
      throw isMissing(error) ? notFound('an unfinished upload of', key, 'begin the upload again') : error;
    });
    await syncFolder(folder);
  } finally {
    await removeTemporary(file.path);
  }
}

/** Ends with the first byte too many, however much would follow. */
async function* limited(body: AsyncIterable<Uint8Array>, part: IncomingPart): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > part.bytes) throw otherSize(part, 'more');
    yield chunk;
  }
}

const otherSize = (part: IncomingPart, got: string) =>
  invalid(
    `expected part ${part.number} of ${part.bytes} bytes, got ${got}: send the bytes that the URL was signed for`,
  );

/** Sizes by file name; null where there is no such folder. */
async function partsThere(folder: string): Promise<Map<string, number> | null> {
  try {
    const names = await readdir(folder);
    return new Map(
      await Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).size] as const)),
    );
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function* joined(folder: string, parts: readonly IncomingPart[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield* createReadStream(join(folder, nameOf(part)), { highWaterMark: 1024 * 1024 });
}
