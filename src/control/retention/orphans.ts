import { throwIfAborted } from '../../base/abort.ts';
import { PushforwardError } from '../../base/errors.ts';
import { byUtf8 } from '../../base/object-keys.ts';
import { artifactKey, artifactsPrefix, blobKey, blobsPrefix, readManifest } from '../../pipeline/artifacts.ts';
import { ordersPrefix, type ObjectHead, type ObjectStore } from '../../pipeline/ports.ts';
import { uploadsPrefix } from '../../pipeline/uploads.ts';
import { type ProjectRetention } from './rows.ts';

/** What lies in the store and no row knows of, and what rows know of and does not lie there. */
export interface OrphanReport {
  /** Manifests, blobs, files of uploads and orders of pods that were looked at. */
  objects: number;
  /** Old enough to go: what attempts left that lost a race, died, or published what nobody recorded. */
  storeWithoutRow: OrphanTally<{ key: string; bytes: number; modifiedAt: Date }>;
  /** The same, but so young that someone may be about to refer to it. */
  young: { count: number; bytes: number };
  /**
   * Manifests and blobs of artifacts that are not deleted, and files of uploads: missing, or of another size. Runs that need
   * artifacts make them again.
   */
  rowWithoutStore: OrphanTally<{ key: string; expectedBytes: number | null; bytes: number | null }>;
}

export interface OrphanTally<Example> {
  count: number;
  /** Of `rowWithoutStore`, those expected. */
  bytes: number;
  /** The first of them. */
  examples: Example[];
}

export interface Orphan {
  /** Artifact id or digest; of an order its Job and index. */
  name: string;
  bytes: number;
}

export type OrphanKind = 'manifests' | 'blobs' | 'orders';

interface Search {
  store: ObjectStore;
  rows: Pick<ProjectRetention, 'manifests' | 'blobs' | 'uploadFiles'>;
  projectId: string;
  /** Objects written since then are young. */
  oldBefore: Date;
  signal: AbortSignal;
  /** Deletes old objects without a row; answers with the names of those that have to stay. Absent: nothing is deleted. */
  remove?: (kind: OrphanKind, orphans: Orphan[]) => Promise<string[]>;
}

export const HOUR_MS = 3_600_000;
const EXAMPLES = 20;
const ROWS = 5000;
const LOOKS = 32;
const REMOVALS = 500;
/** Blobs that manifests without a row name. These are few: of attempts in flight, and of those lost of late. */
const MOST_HELD = 1_000_000;

/**
 * What was written since then is young: in the last so many hours, or since the oldest attempt that runs began, which names
 * what it wrote only when it ends, however long that takes.
 */
export async function oldBefore(
  rows: Pick<ProjectRetention, 'attemptsSince'>,
  now: Date,
  olderThanHours: number,
): Promise<Date> {
  const began = (await rows.attemptsSince())?.getTime() ?? Infinity;
  return new Date(Math.min(now.getTime() - olderThanHours * HOUR_MS, began));
}

/**
 * Walks the store's ascending list and the rows in the same order, side by side, manifests first, then blobs, uploads and orders:
 * memory does not grow with either. What it finds of uploads it only tells: their own sweep deletes them. Whatever else lies
 * in the project is not looked at.
 */
export async function findOrphans(of: Search): Promise<OrphanReport> {
  const report: OrphanReport = {
    objects: 0,
    storeWithoutRow: { count: 0, bytes: 0, examples: [] },
    young: { count: 0, bytes: 0 },
    rowWithoutStore: { count: 0, bytes: 0, examples: [] },
  };
  const { projectId, rows } = of;
  /** Named by manifests that stay although no row knows them yet: such blobs stay, however old. */
  const held = new Set<string>();
  await walk(of, report, {
    prefix: artifactsPrefix(projectId),
    keyOf: (id) => artifactKey(projectId, id),
    known: pages(async (after) =>
      (await rows.manifests(after, ROWS)).map((name) => ({ name, bytes: null, due: true })),
    ),
    isHeld: () => false,
    remove: (orphans) => of.remove?.('manifests', orphans),
    stays: (id) => hold(of, id, held),
  });
  await walk(of, report, {
    prefix: blobsPrefix(projectId),
    keyOf: (digest) => blobKey(projectId, digest),
    known: pages(async (after) =>
      (await rows.blobs(after, ROWS)).map(({ sha256, bytes }) => ({ name: sha256, bytes, due: true })),
    ),
    isHeld: (digest) => held.has(digest),
    remove: (orphans) => of.remove?.('blobs', orphans),
    stays: async () => {},
  });
  await walk(of, report, {
    prefix: uploadsPrefix(projectId),
    keyOf: (name) => uploadsPrefix(projectId) + name,
    known: pages(async (after) =>
      (await rows.uploadFiles(after, ROWS)).map(({ name, bytes, complete }) => ({ name, bytes, due: complete })),
    ),
    isHeld: () => false,
    remove: () => undefined,
    stays: async () => {},
  });
  // No row knows of an order: while the attempt runs that it is for, it is younger than that.
  await walk(of, report, {
    prefix: ordersPrefix(projectId),
    keyOf: (name) => ordersPrefix(projectId) + name,
    known: pages(async () => []),
    isHeld: () => false,
    remove: (orphans) => of.remove?.('orders', orphans),
    stays: async () => {},
  });
  return report;
}

interface Row {
  name: string;
  /** Null: of any size. */
  bytes: number | null;
  /** Whether the object has to be there. */
  due: boolean;
}

interface Kind {
  prefix: string;
  keyOf(name: string): string;
  known: AsyncIterable<Row>;
  isHeld(name: string): boolean;
  remove(orphans: Orphan[]): Promise<string[]> | undefined;
  /** Told of each object that has no row and is not deleted. */
  stays(name: string): Promise<void>;
}

async function walk({ store, oldBefore, signal }: Search, report: OrphanReport, kind: Kind): Promise<void> {
  const suspects = batched<{ key: string; expectedBytes: number | null }>(LOOKS, async (some) => {
    // The list may be older than the row.
    const found = await Promise.all(some.map(({ key }) => store.head(key)));
    some.forEach(({ key, expectedBytes }, index) => {
      const bytes = found[index]?.bytes ?? null;
      if (bytes !== null && (expectedBytes ?? bytes) === bytes) return;
      add(report.rowWithoutStore, expectedBytes ?? 0, { key, expectedBytes, bytes });
    });
  });
  const orphans = batched<Orphan>(REMOVALS, async (some) => {
    for (const name of (await kind.remove(some)) ?? []) await kind.stays(name);
  });
  const suffix = kind.keyOf('').slice(kind.prefix.length);

  const sides = sideBySide(store.list(kind.prefix), kind.known, (row) => kind.keyOf(row.name));
  for await (const { object, row } of sides) {
    throwIfAborted(signal);
    if (object) report.objects++;
    if (row?.due && (!object || (row.bytes ?? object.bytes) !== object.bytes)) {
      await suspects.add({ key: kind.keyOf(row.name), expectedBytes: row.bytes });
    }
    if (!object || row) continue;
    const { key, bytes, modifiedAt } = object;
    const name = key.slice(kind.prefix.length, key.length - suffix.length);
    if (modifiedAt >= oldBefore || kind.isHeld(name)) {
      report.young.count++;
      report.young.bytes += bytes;
      await kind.stays(name);
      continue;
    }
    add(report.storeWithoutRow, bytes, { key, bytes, modifiedAt });
    // What has no name of ours is told, and left to whoever put it there.
    if (kind.keyOf(name) === key) await orphans.add({ name, bytes });
  }
  await suspects.flush();
  await orphans.flush();
}

/** Both in ascending order of their keys: each key once, with what has it. */
async function* sideBySide(
  objects: AsyncIterable<ObjectHead>,
  rows: AsyncIterable<Row>,
  keyOf: (row: Row) => string,
): AsyncGenerator<{ object?: ObjectHead; row?: Row }> {
  const [left, right] = [objects[Symbol.asyncIterator](), rows[Symbol.asyncIterator]()];
  try {
    let [object, row] = [await left.next(), await right.next()];
    while (!object.done || !row.done) {
      const order = object.done ? 1 : row.done ? -1 : byUtf8(object.value.key, keyOf(row.value));
      yield { ...(order <= 0 && { object: object.value }), ...(order >= 0 && { row: row.value }) };
      if (order <= 0) object = await left.next();
      if (order >= 0) row = await right.next();
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

async function* pages(load: (after: string) => Promise<Row[]>): AsyncGenerator<Row> {
  for (let page = await load(''); page.length > 0; page = await load(page.at(-1)!.name)) yield* page;
}

async function hold({ store, projectId }: Search, id: string, held: Set<string>): Promise<void> {
  const manifest = await readManifest(store, projectId, id).catch((error: unknown) => {
    // Gone meanwhile, or nothing that anyone could read.
    if (error instanceof PushforwardError && !['NOT_FOUND', 'CORRUPT_ARTIFACT'].includes(error.code)) throw error;
    return null;
  });
  for (const blob of Object.values(manifest?.blobs ?? {})) held.add(blob.sha256);
  if (held.size <= MOST_HELD) return;
  throw new PushforwardError(
    'LIMIT_EXCEEDED',
    `expected manifests without a row to name at most ${MOST_HELD} blobs, got more: look for what writes to the store of project ${projectId} beside the service`,
  );
}

function batched<T>(size: number, work: (some: T[]) => Promise<void>) {
  let batch: T[] = [];
  const flush = async () => {
    const some = batch;
    batch = [];
    if (some.length > 0) await work(some);
  };
  return {
    flush,
    async add(one: T) {
      if (batch.push(one) >= size) await flush();
    },
  };
}

function add<Example>(tally: OrphanTally<Example>, bytes: number, example: Example): void {
  tally.count++;
  tally.bytes += bytes;
  if (tally.examples.length < EXAMPLES) tally.examples.push(example);
}
