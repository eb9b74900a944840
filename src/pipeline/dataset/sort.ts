import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createArena, GroupNumbers } from './arena.ts';
import { mergeRuns } from './merge.ts';
import { type RestWriter, type SortRecord } from './records.ts';
import { readRun, type Run, writeRun } from './runs.ts';
import { type StoredRecord } from './stored-record.ts';

/** Sorts records in bounded memory: sorted runs on disk, merged when they are read. What fits one run never touches the disk. */
export interface RecordSorter {
  /** A promise where a run is written; to be awaited before the next call. */
  add<Rest>(records: readonly SortRecord<Rest>[], rests: RestWriter<Rest>): Promise<void> | null;
  /** As `add` of a record that another sorter has, into this group. */
  copy(record: StoredRecord, group: string): Promise<void> | null;
  /** As `add` of the digests of records that another sorter has, into one group. */
  copyDigests(records: readonly StoredRecord[], group: string): Promise<void> | null;
  /** All records in order, in batches, which end with the next one. May be asked for again; nothing is added after the first time. */
  sorted(): AsyncIterable<StoredRecord[]>;
}

export interface SorterOptions {
  /** A folder of the sorter's own; whoever made it removes it. */
  folder: string;
  /** Records held in memory, at most 32 MiB of them: 65,536 with a rest of 100 characters take 12 MB. */
  runRecords?: number;
  /** Runs open at once; more are merged to one before. */
  fanIn?: number;
}

export function createRecordSorter({ folder, runRecords = 65_536, fanIn = 64 }: SorterOptions): RecordSorter {
  const groups = new GroupNumbers();
  const arena = createArena(groups, runRecords);
  let runs: Run[] = [];
  let made = 0;

  const write = (batches: Parameters<typeof writeRun>[1]): Promise<Run> =>
    writeRun(join(folder, `run-${made++}`), batches);
  const merged = () => mergeRuns(runs.map((run) => readRun(run, groups.names)));

  const spill = async () => {
    runs.push(await write(arena.sorted()));
    arena.clear();
    if (runs.length < fanIn) return;
    const one = await write(merged());
    for (const { path } of runs) await rm(path);
    runs = [one];
  };

  /** @param take as `Arena.add`, from a place on: called again once a run is written, until all are taken */
  const taking = (take: (from: number) => number, from = 0): Promise<void> | null => {
    const taken = take(from);
    return arena.full ? spill().then(() => taking(take, taken) ?? undefined) : null;
  };

  return {
    add: (records, rests) => taking((from) => arena.add(records, rests, from)),
    copyDigests: (records, group) => taking((from) => arena.copyDigests(records, group, from)),
    copy(record, group) {
      arena.copy(record, group);
      return arena.full ? spill() : null;
    },
    async *sorted() {
      if (runs.length > 0 && arena.count > 0) await spill();
      yield* runs.length === 0 ? arena.sorted() : merged();
    },
  };
}
