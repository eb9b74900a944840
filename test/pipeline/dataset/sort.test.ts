import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { compareRecords, type SortRecord, TEXT } from '../../../src/pipeline/dataset/records.ts';
import { createRecordSorter, type RecordSorter, type SorterOptions } from '../../../src/pipeline/dataset/sort.ts';
import { withFolder } from '../../support/image-sources.ts';

/** Several of a group, several of a digest, and digests that begin alike. */
const record = (i: number): SortRecord => ({
  group: `class ${i % 7}`,
  sha256: i % 5 === 0 ? `${'0'.repeat(60)}${sha256(String(i % 50)).slice(0, 4)}` : sha256(String(i % 3000)),
  rest: JSON.stringify({ row: (i * 7919) % 10_007 }),
});
const numbered = (n: number) => Array.from({ length: n }, (_, i) => record(i));

async function collect(sorter: RecordSorter): Promise<SortRecord[]> {
  const records: SortRecord[] = [];
  for await (const batch of sorter.sorted()) {
    for (const { group, sha256: digest, rest } of batch) records.push({ group, sha256: digest, rest });
  }
  return records;
}

async function sorterOf(records: readonly SortRecord[], options: SorterOptions): Promise<RecordSorter> {
  const sorter = createRecordSorter(options);
  await sorter.add(records, TEXT);
  return sorter;
}

describe('createRecordSorter', () => {
  it.each([0, 1, 9, 10, 11, 1000, 5003])('sorts %i records through runs and merges of runs, twice over', async (n) => {
    await withFolder(async (root) => {
      const folder = join(root, 'runs');
      const records = numbered(n);
      const sorter = await sorterOf(records, { folder, runRecords: 10, fanIn: 4 });
      const sorted = [...records].sort(compareRecords);
      expect(await collect(sorter)).toEqual(sorted);
      expect(await collect(sorter)).toEqual(sorted);
      const runs = await readdir(folder).catch(() => []);
      expect(runs.length).toBeLessThanOrEqual(4);
    });
  });

  it('touches no disk for what fits one run', async () => {
    await withFolder(async (root) => {
      const records = numbered(5000);
      const sorter = await sorterOf(records, { folder: join(root, 'runs'), runRecords: 5001 });
      expect(await collect(sorter)).toEqual([...records].sort(compareRecords));
      expect(await readdir(root)).toEqual([]);
    });
  });

  it('orders by UTF-16 code unit and keeps what is equal, in memory and through runs', async () => {
    const text = fc.constantFrom('', 'a', 'a\0~', 'a\0x', 'ab', 'ä', 'Z', '\u{1f600}', '\uff5e', 'x'.repeat(200_000));
    const digest = fc.constantFrom(sha256('1'), sha256('2'), sha256('1').replace(/.$/, 'g'));
    const records = fc.array(fc.record({ group: text, sha256: digest, rest: text }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(records, fc.integer({ min: 1, max: 20 }), async (all, runRecords) => {
        await withFolder(async (folder) => {
          const sorter = await sorterOf(all, { folder, runRecords, fanIn: 3 });
          expect(await collect(sorter)).toEqual([...all].sort(compareRecords));
        });
      }),
      { numRuns: 60 },
    );
  });

  it.each([0, 1, 70, 80_000])('tells runs that are %i bytes long where they were longer', async (bytes) => {
    await withFolder(async (folder) => {
      const sorter = await sorterOf(numbered(3000), { folder, runRecords: 1000 });
      await truncate(join(folder, 'run-1'), bytes);
      await expect(collect(sorter)).rejects.toMatchObject({
        code: 'INTERNAL',
        message: expect.stringMatching(/expected a run of \d{5} bytes in .*run-1, got \d+: /) as never,
      });
    });
  });

  it('can be left in the middle', async () => {
    await withFolder(async (folder) => {
      const sorter = await sorterOf(numbered(9000), { folder, runRecords: 1000 });
      for await (const batch of sorter.sorted()) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
    });
  });
});
