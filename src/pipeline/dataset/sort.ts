import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createArena, createGroupNumbers, MAX_RECORDS, type StoredRecord } from './arena.ts';
import { mergeRuns } from './merge.ts';
import { type SortRecord } from './records.ts';
import { readRun, writeRun } from './runs.ts';

/** Sorts records in bounded memory: sorted runs on disk, merged when they are read. What fits one run never touches the disk. */
export interface RecordSorter {
  /** A promise where a run is written; to be awaited before the next call. */
  add(record: SortRecord): Promise<void> | null;
  /** All records in order, in batches. May be asked for again; nothing is added after the first time. */
  sorted(): AsyncIterable<StoredRecord[]>;
}

export interface SorterOptions {
  /** A folder of the sorter's own; whoever made it removes it. */
  folder: string;
  /** Records held in memory, at most 2^17 and 32 MiB: 65,536 with a rest of 100 characters take 12 MB. */
  runRecords?: number;
  /** Runs open at once; more are merged to one before. */
  fanIn?: number;
}

export function createRecordSorter({ folder, runRecords = 65_536, fanIn = 64 }: SorterOptions): RecordSorter {
  const groups = createGroupNumbers();
  const arena = createArena(groups, Math.min(runRecords, MAX_RECORDS));
  let runs: string[] = [];
  let made = 0;

  const write = async (batches: Parameters<typeof writeRun>[1]): Promise<string> => {
    const path = join(folder, `run-${made++}`);
    await writeRun(path, batches);
    return path;
  };
  const merged = () => mergeRuns(runs.map((run) => readRun(run, groups.names)));

  const spill = async () => {
    runs.push(await write(arena.sorted()));
    arena.clear();
    if (runs.length < fanIn) return;
    const one = await write(merged());
    for (const run of runs) await rm(run);
    runs = [one];
  };

  return {
    add(record) {
      arena.add(record);
      return arena.full ? spill() : null;
    },
    async *sorted() {
      if (runs.length > 0 && arena.count > 0) await spill();
      yield* runs.length === 0 ? arena.sorted() : merged();
    },
  };
}
