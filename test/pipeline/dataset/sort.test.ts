import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { createLineSorter, type LineSorter } from '../../../src/pipeline/dataset/sort.ts';
import { withFolder } from '../../support/image-sources.ts';

const random = (n: number) => Array.from({ length: n }, (_, i) => sha256(String(i)).slice(0, 1 + (i % 12)));

async function collect(sorter: LineSorter): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of sorter.sorted()) lines.push(...batch);
  return lines;
}

describe('createLineSorter', () => {
  it.each([0, 1, 9, 10, 11, 1000, 5003])('sorts %i lines through runs and merges of runs, twice over', async (n) => {
    await withFolder(async (root) => {
      const folder = join(root, 'runs');
      const sorter = createLineSorter({ folder, runLines: 10, fanIn: 4 });
      const lines = random(n);
      for (const line of lines) await sorter.add(line);
      lines.sort();
      expect(await collect(sorter)).toEqual(lines);
      expect(await collect(sorter)).toEqual(lines);
      const runs = await readdir(folder).catch(() => []);
      expect(runs.length).toBeLessThan(4);
    });
  });

  it('orders by UTF-16 code unit and keeps what is equal', async () => {
    await withFolder(async (folder) => {
      const sorter = createLineSorter({ folder, runLines: 3 });
      const lines = ['b', 'a\0x', 'ab', 'a', 'ä', 'a', 'Z', '', '\u{1f600}', '\uff5e', 'a '.repeat(200_000)];
      for (const line of lines) await sorter.add(line);
      expect(await collect(sorter)).toEqual([...lines].sort());
    });
  });

  it('can be left in the middle', async () => {
    await withFolder(async (folder) => {
      const sorter = createLineSorter({ folder, runLines: 1000 });
      for (const line of random(9000)) await sorter.add(line);
      for await (const batch of sorter.sorted()) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
    });
  });
});
