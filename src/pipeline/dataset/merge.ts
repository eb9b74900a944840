import { BATCH_RECORDS, beginningOf, type StoredRecord } from './arena.ts';
import { compareRecords } from './records.ts';

interface Cursor {
  batches: AsyncIterator<StoredRecord[]>;
  batch: StoredRecord[];
  next: number;
  record: StoredRecord;
  /** Of the record's digest. */
  beginning: number;
}

/** Of sorted runs one, by a heap with the first record on top. */
export async function* mergeRuns(sources: AsyncGenerator<StoredRecord[]>[]): AsyncGenerator<StoredRecord[]> {
  const heap: Cursor[] = [];
  try {
    for (const batches of sources) {
      const first = await batches.next();
      if (first.done) continue;
      const cursor = { batches, batch: first.value, next: 0, record: first.value[0]!, beginning: 0 };
      advance(cursor);
      heap.push(cursor);
    }
    for (let i = heap.length >> 1; i >= 0; i--) sink(heap, i);
    let out: StoredRecord[] = [];
    while (heap.length > 0) {
      const top = heap[0]!;
      out.push(top.record);
      if (top.next === top.batch.length) {
        const following = await top.batches.next();
        top.batch = following.done ? [] : following.value;
        top.next = 0;
      }
      if (top.batch.length > 0) advance(top);
      else {
        const last = heap.pop()!;
        if (heap.length > 0) heap[0] = last;
      }
      sink(heap, 0);
      if (out.length < BATCH_RECORDS) continue;
      yield out;
      out = [];
    }
    if (out.length > 0) yield out;
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

function sink(heap: Cursor[], from: number): void {
  const moving = heap[from];
  if (!moving) return;
  let i = from;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
    if (!isBefore(heap[child]!, moving)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = moving;
}

function advance(cursor: Cursor): void {
  cursor.record = cursor.batch[cursor.next++]!;
  cursor.beginning = beginningOf(cursor.record.bytes, cursor.record.at);
}

/** As `compareRecords`, which nearly always ends with the beginnings. */
function isBefore(a: Cursor, b: Cursor): boolean {
  if (a.record.groupNumber === b.record.groupNumber && a.beginning !== b.beginning) return a.beginning < b.beginning;
  return compareRecords(a.record, b.record) < 0;
}
