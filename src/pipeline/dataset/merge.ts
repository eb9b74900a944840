import { BATCH_RECORDS } from './arena.ts';
import { compareStored, type StoredRecord } from './stored-record.ts';

interface Cursor {
  batches: AsyncIterator<StoredRecord[]>;
  batch: StoredRecord[];
  next: number;
  record: StoredRecord;
}

/** Of sorted runs one, by a heap with the first record on top. */
export async function* mergeRuns(sources: AsyncGenerator<StoredRecord[]>[]): AsyncGenerator<StoredRecord[]> {
  const heap: Cursor[] = [];
  try {
    for (const batches of sources) {
      const first = await batches.next();
      if (first.done) continue;
      heap.push({ batches, batch: first.value, next: 1, record: first.value[0]! });
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
      if (top.batch.length > 0) top.record = top.batch[top.next++]!;
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
    const right = heap[child + 1];
    if (right && compareStored(right.record, heap[child]!.record) < 0) child += 1;
    if (compareStored(heap[child]!.record, moving.record) >= 0) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = moving;
}
