import { beginningOf, DIGEST_BYTES } from './digest-bytes.ts';
import { type RestWriter, type SortRecord } from './records.ts';
import { compareStored, StoredRecord } from './stored-record.ts';

/**
 * Records as bytes of one buffer: as objects, a million of them would cost twice the memory and, surviving one collection
 * of garbage after the other, a third of the time of an import.
 */
export interface Arena {
  readonly count: number;
  /** Whether it must be cleared before the next record: of records, or of bytes where their paths are long. */
  readonly full: boolean;
  /**
   * Takes these records from the one at `from` until it is full.
   * @returns the place behind the last that it took
   */
  add<Rest>(records: readonly SortRecord<Rest>[], rests: RestWriter<Rest>, from: number): number;
  /** A record of another arena or a run, into this group. */
  copy(record: StoredRecord, group: string): void;
  /** As `add`: of records of another arena or a run the digests, into one group. */
  copyDigests(records: readonly StoredRecord[], group: string, from: number): number;
  /** In order, in batches. Views: they end with the next batch. */
  sorted(): Generator<StoredRecord[]>;
  /** Keeps the memory for the records to come. */
  clear(): void;
}

/** Numbers for the groups of a sorter, in the order of their first record. */
export class GroupNumbers {
  readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();

  numberOf(group: string): number {
    const known = this.numbers.get(group);
    if (known !== undefined) return known;
    this.numbers.set(group, this.names.length);
    return this.names.push(group) - 1;
  }
}

export const BATCH_RECORDS = 2048;
/** Enough for 50,000; memory that is not written to costs nothing. */
const FIRST_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 32 * 1024 * 1024;
/** Three passes; 2,048 counters stay in the cache. */
const RADIX_BITS = 11;
const RADIX = 2 ** RADIX_BITS;
const RADIX_MASK = RADIX - 1;

/** @param maxRecords of at least 1 */
export function createArena(groups: GroupNumbers, maxRecords: number): Arena {
  return new RecordArena(groups, maxRecords);
}

/**
 * A class, as is whatever is called for each record: what V8 has learned of a method and compiled stays from one import to
 * the next, of the functions in a function it learns it anew.
 */
class RecordArena implements Arena {
  count = 0;
  private readonly groups: GroupNumbers;
  private readonly maxRecords: number;
  private bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private readonly ends: Uint32Array;
  private readonly groupNumbers: Uint32Array;
  private readonly beginnings: Uint32Array;
  private ordered: Uint32Array | null = null;

  constructor(groups: GroupNumbers, maxRecords: number) {
    this.groups = groups;
    this.maxRecords = maxRecords;
    this.ends = new Uint32Array(maxRecords);
    this.groupNumbers = new Uint32Array(maxRecords);
    this.beginnings = new Uint32Array(maxRecords);
  }

  get full(): boolean {
    return this.count === this.maxRecords || this.startOf(this.count) >= MAX_BYTES;
  }

  add<Rest>(records: readonly SortRecord<Rest>[], rests: RestWriter<Rest>, from: number): number {
    let to = from;
    for (; to < records.length && !this.full; to++) {
      const { group, sha256, rest } = records[to]!;
      const at = this.reserve(rests.maxBytes(rest));
      this.bytes.write(sha256, at, 'latin1');
      const end = rests.write(rest, this.bytes, at + DIGEST_BYTES);
      this.close(group, beginningOf(this.bytes, at), end);
    }
    return to;
  }

  copy(record: StoredRecord, group: string): void {
    const at = this.reserve(record.restBytes);
    const copied = record.bytes.copy(this.bytes, at, record.at, record.end);
    this.close(group, record.beginning, at + copied);
  }

  copyDigests(records: readonly StoredRecord[], group: string, from: number): number {
    let to = from;
    for (; to < records.length && !this.full; to++) {
      const at = this.reserve(0);
      records[to]!.copyDigest(this.bytes, at);
      this.close(group, records[to]!.beginning, at + DIGEST_BYTES);
    }
    return to;
  }

  *sorted(): Generator<StoredRecord[]> {
    const places = (this.ordered ??= this.order());
    const views = Array.from({ length: Math.min(BATCH_RECORDS, places.length) }, () => new StoredRecord());
    for (let from = 0; from < places.length; from += BATCH_RECORDS) {
      if (places.length - from < BATCH_RECORDS) views.length = places.length - from;
      this.move(views, places, from);
      yield views;
    }
  }

  clear(): void {
    this.count = 0;
    this.ordered = null;
  }

  private startOf(i: number): number {
    return i === 0 ? 0 : this.ends[i - 1]!;
  }

  /** Makes room for a digest and a rest. @returns where */
  private reserve(restBytes: number): number {
    const at = this.startOf(this.count);
    const most = at + DIGEST_BYTES + restBytes;
    if (most > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
    }
    return at;
  }

  private close(group: string, beginning: number, end: number): void {
    this.ends[this.count] = end;
    this.groupNumbers[this.count] = this.groups.numberOf(group);
    this.beginnings[this.count] = beginning;
    this.count += 1;
    this.ordered = null;
  }

  /** To the records at these places, from the one at `from`. */
  private move(views: readonly StoredRecord[], places: Uint32Array, from: number): void {
    const { bytes, ends, beginnings, groupNumbers, groups } = this;
    for (let i = 0; i < views.length; i++) {
      const place = places[from + i]!;
      const group = groupNumbers[place]!;
      const at = this.startOf(place);
      views[i]!.moveTo(groups.names[group]!, group, bytes, at, ends[place]!, beginnings[place]!);
    }
  }

  /** By groups, in them by the beginnings of digests: first by what decides last, each time keeping the order before. */
  private order(): Uint32Array {
    const { count, beginnings } = this;
    let places = new Uint32Array(count);
    let moved = new Uint32Array(count);
    for (let i = 0; i < count; i++) places[i] = i;
    for (let shift = 0; shift < 32; shift += RADIX_BITS) {
      const next = new Uint32Array(RADIX + 1);
      for (let i = 0; i < count; i++) next[((beginnings[i]! >>> shift) & RADIX_MASK) + 1]! += 1;
      for (let digit = 1; digit < RADIX; digit++) next[digit]! += next[digit - 1]!;
      for (let i = 0; i < count; i++) {
        const place = places[i]!;
        moved[next[(beginnings[place]! >>> shift) & RADIX_MASK]!++] = place;
      }
      [places, moved] = [moved, places];
    }
    const next = groupStarts(this.groups.names, this.groupNumbers, count);
    for (let i = 0; i < count; i++) {
      const place = places[i]!;
      moved[next[this.groupNumbers[place]!]!++] = place;
    }
    this.sortTies(moved);
    return moved;
  }

  /** What begins alike is mostly one image several times over. */
  private sortTies(places: Uint32Array): void {
    for (let from = 0, to = 1; from < places.length; from = to, to += 1) {
      while (to < places.length && this.alike(places[from]!, places[to]!)) to += 1;
      if (to - from === 1) continue;
      const views = Array.from({ length: to - from }, () => new StoredRecord());
      this.move(views, places, from);
      const same = views.map((record, i) => ({ record, place: places[from + i]! }));
      same.sort((a, b) => compareStored(a.record, b.record));
      places.set(
        same.map(({ place }) => place),
        from,
      );
    }
  }

  private alike(a: number, b: number): boolean {
    return this.beginnings[a] === this.beginnings[b] && this.groupNumbers[a] === this.groupNumbers[b];
  }
}

/** By number of the group where its records begin, in the order of the names of the groups. */
function groupStarts(names: readonly string[], groupNumbers: Uint32Array, count: number): Uint32Array {
  const counts = new Uint32Array(names.length);
  for (let i = 0; i < count; i++) counts[groupNumbers[i]!]! += 1;
  const starts = new Uint32Array(names.length);
  let start = 0;
  for (const group of [...names.keys()].sort((a, b) => (names[a]! < names[b]! ? -1 : 1))) {
    starts[group] = start;
    start += counts[group]!;
  }
  return starts;
}
