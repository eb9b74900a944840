/** The store and the rows, side by side: against plain sets, over a store in memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byUtf8 } from '../../../src/base/object-keys.ts';
import { byCodeUnit } from '../../../src/base/order.ts';
import { findOrphans, type Orphan } from '../../../src/control/retention/orphans.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const P = 'p';
const OLD = new Date('2026-01-01T00:00:00Z');
const [YOUNG, BEFORE] = [new Date('2026-01-03T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
const text = new TextEncoder();
const signal = new AbortController().signal;

type Where = {
  kind: 'artifacts' | 'blobs' | 'uploads' | 'orders';
  name: string;
  bytes: number;
  stored: 'old' | 'young' | 'no';
  row: boolean;
};

async function filled(all: readonly Where[]) {
  const store = createMemoryStore();
  for (const { kind, name, bytes, stored } of all) {
    if (stored === 'no') continue;
    const key = `projects/${P}/${kind}/${name}${kind === 'artifacts' ? '.json' : ''}`;
    await store.put(key, kind === 'artifacts' ? text.encode('{}') : new Uint8Array(bytes));
    store.objects.get(key)!.modifiedAt = stored === 'old' ? OLD : YOUNG;
  }
  const known = (kind: Where['kind']) =>
    all.filter((one) => one.kind === kind && one.row).sort((a, b) => byCodeUnit(a.name, b.name));
  const page = <T>(items: T[], nameOf: (item: T) => string, after: string) =>
    items.filter((item) => nameOf(item) > after).slice(0, 3);
  const rows = {
    manifests: async (after: string) =>
      page(
        known('artifacts').map(({ name }) => name),
        (name) => name,
        after,
      ),
    blobs: async (after: string) =>
      page(
        known('blobs').map(({ name, bytes }) => ({ sha256: name, bytes })),
        (one) => one.sha256,
        after,
      ),
    uploadFiles: async (after: string) =>
      page(
        known('uploads').map(({ name, bytes }) => ({ name, bytes, complete: true })),
        (one) => one.name,
        after,
      ),
  };
  return { store, rows };
}

const digest = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 4, maxLength: 4 })
  .map((of) => of.join(''));
const where = fc.record({
  kind: fc.constantFrom('artifacts' as const, 'blobs' as const, 'uploads' as const, 'orders' as const),
  name: digest,
  bytes: fc.integer({ min: 0, max: 50 }),
  stored: fc.constantFrom('old' as const, 'young' as const, 'no' as const),
  row: fc.boolean(),
});
const everything = fc.uniqueArray(
  // No row knows of orders.
  where.map((one) => ({ ...one, row: one.row && one.kind !== 'orders' })),
  { maxLength: 60, selector: ({ kind, name }) => `${kind}/${name}` },
);

describe('the search for orphans', () => {
  it('tells what the sets tell, and hands on what may be deleted', async () => {
    await fc.assert(
      fc.asyncProperty(everything, async (all) => {
        const { store, rows } = await filled(all);
        const removed: string[] = [];
        const report = await findOrphans({
          ...{ store, rows, projectId: P, oldBefore: BEFORE, signal },
          async remove(kind, orphans) {
            removed.push(...orphans.map(({ name }) => `${kind === 'manifests' ? 'artifacts' : kind}/${name}`));
            return [];
          },
        });
        const stray = all.filter((one) => one.stored === 'old' && !one.row);
        const size = (one: Where) => (one.kind === 'artifacts' ? 2 : one.bytes);
        expect(report.objects).toBe(all.filter((one) => one.stored !== 'no').length);
        expect(report.storeWithoutRow).toMatchObject({
          count: stray.length,
          bytes: stray.reduce((sum, one) => sum + size(one), 0),
        });
        expect(report.storeWithoutRow.examples).toHaveLength(Math.min(20, stray.length));
        expect(report.young.count).toBe(all.filter((one) => one.stored === 'young' && !one.row).length);
        expect(report.rowWithoutStore.count).toBe(all.filter((one) => one.stored === 'no' && one.row).length);
        const named = stray.filter(({ kind }) => kind !== 'uploads').map(({ kind, name }) => `${kind}/${name}`);
        expect(removed).toEqual(named.sort(byCodeUnit));
      }),
    );
  });

  it('leaves blobs that a young manifest names, however old, and those of one that has to stay', async () => {
    for (const stored of ['young', 'old'] as const) {
      const { store, rows } = await filled([
        { kind: 'blobs', name: 'aaaa', bytes: 1, stored: 'old', row: false },
        { kind: 'blobs', name: 'bbbb', bytes: 1, stored: 'old', row: false },
      ]);
      const blobs = { data: { sha256: 'bbbb', bytes: 1, mediaType: 'text/plain' } };
      await store.put(
        `projects/${P}/artifacts/cccc.json`,
        text.encode(JSON.stringify({ formatVersion: 1, id: 'cccc', blobs })),
      );
      store.objects.get(`projects/${P}/artifacts/cccc.json`)!.modifiedAt = stored === 'old' ? OLD : YOUNG;
      const asked: [string, Orphan[]][] = [];
      const report = await findOrphans({
        ...{ store, rows, projectId: P, oldBefore: BEFORE, signal },
        async remove(kind, orphans) {
          asked.push([kind, orphans]);
          return kind === 'manifests' ? orphans.map(({ name }) => name) : [];
        },
      });
      expect(asked.filter(([kind]) => kind === 'blobs')).toEqual([['blobs', [{ name: 'aaaa', bytes: 1 }]]]);
      expect(report.young.count).toBe(stored === 'young' ? 2 : 1);
    }
  });

  it('tells uploads apart that are to be there, may be there, and should not', async () => {
    const { store, rows } = await filled([
      { kind: 'uploads', name: 'upl_1/a.bin', bytes: 1, stored: 'old', row: true },
      { kind: 'uploads', name: 'upl_1/b.bin', bytes: 1, stored: 'no', row: true },
      { kind: 'uploads', name: 'upl_2/c.bin', bytes: 1, stored: 'old', row: false },
    ]);
    const open = { name: 'upl_3/\ufffd', bytes: 1, complete: false };
    await store.put(`projects/${P}/uploads/upl_4/\u{1f600}`, new Uint8Array(1));
    const emoji = { name: 'upl_4/\u{1f600}', bytes: 1, complete: true };
    const uploadFiles = async (after: string) => {
      const page = await rows.uploadFiles(after);
      return page.length > 0 ? page : [open, emoji].filter(({ name }) => byUtf8(name, after) > 0);
    };
    const removed: string[] = [];
    const report = await findOrphans({
      ...{ store, rows: { ...rows, uploadFiles }, projectId: P, oldBefore: BEFORE, signal },
      remove: async (kind) => (removed.push(kind), []),
    });
    expect(report.rowWithoutStore.examples.map(({ key }) => key)).toEqual([`projects/${P}/uploads/upl_1/b.bin`]);
    expect(report.storeWithoutRow.examples.map(({ key }) => key)).toEqual([`projects/${P}/uploads/upl_2/c.bin`]);
    expect(removed).toEqual([]);
  });

  it('does not call missing what was written after the list was read', async () => {
    const { store, rows } = await filled([{ kind: 'blobs', name: 'aaaa', bytes: 1, stored: 'old', row: true }]);
    const late = {
      ...store,
      async *list(prefix: string) {
        yield* store.list(prefix);
        await store.put(`projects/${P}/blobs/bbbb`, new Uint8Array(1));
      },
    };
    const found = await findOrphans({
      ...{ store: late, projectId: P, oldBefore: BEFORE, signal },
      rows: {
        ...rows,
        blobs: async (after) => ['aaaa', 'bbbb'].filter((name) => name > after).map((sha256) => ({ sha256, bytes: 1 })),
      },
    });
    expect(found.rowWithoutStore.count).toBe(0);
  });

  it('stops when it is told to', async () => {
    const { store, rows } = await filled([{ kind: 'blobs', name: 'aaaa', bytes: 1, stored: 'old', row: true }]);
    const search = { store, rows, projectId: P, oldBefore: BEFORE, signal: AbortSignal.abort() };
    await expect(findOrphans(search)).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('holds no more than a page of either side', async () => {
    const [objects, page] = [200_000, 5000];
    const name = (index: number) => index.toString(16).padStart(64, '0');
    let most = 0;
    let listed = 0;
    const store = {
      ...createMemoryStore(),
      async *list(prefix: string) {
        if (!prefix.endsWith('/blobs/')) return;
        for (let index = 0; index < objects; index++) {
          listed = index;
          yield { key: `${prefix}${name(index)}`, bytes: 1, etag: '', modifiedAt: OLD };
        }
      },
    };
    const rows = {
      manifests: async () => [],
      uploadFiles: async () => [],
      async blobs(after: string, limit: number) {
        const from = after === '' ? 0 : parseInt(after.slice(-12), 16) + 1;
        most = Math.max(most, from - listed);
        return Array.from({ length: Math.min(limit, objects - from) }, (_, index) => ({
          sha256: name(from + index),
          bytes: 1,
        }));
      },
    };
    const report = await findOrphans({ store, rows, projectId: P, oldBefore: BEFORE, signal });
    expect(report).toMatchObject({ objects, storeWithoutRow: { count: 0 }, rowWithoutStore: { count: 0 } });
    expect(most).toBeLessThanOrEqual(page);
  });
});
