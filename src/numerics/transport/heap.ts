/** A binary heap of sample indices, least key first; ties in any fixed order. */
export interface Heap {
  push(item: number): void;
  peek(): number | undefined;
  pop(): void;
}

/** @param key of an item, which must not change while it is in the heap; called often */
export function heapOf(items: number[], key: (item: number) => number): Heap {
  const keys = items.map(key);
  for (let i = (items.length >> 1) - 1; i >= 0; i--) sink(i);
  return {
    push(item) {
      items.push(item);
      keys.push(key(item));
      rise(items.length - 1);
    },
    peek: () => items[0],
    pop() {
      const lastItem = items.pop()!;
      const lastKey = keys.pop()!;
      if (items.length === 0) return;
      items[0] = lastItem;
      keys[0] = lastKey;
      sink(0);
    },
  };

  function rise(i: number): void {
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (keys[parent]! <= keys[i]!) return;
      swap(i, parent);
      i = parent;
    }
  }

  function sink(i: number): void {
    for (;;) {
      let least = 2 * i + 1;
      if (least >= items.length) return;
      if (least + 1 < items.length && keys[least + 1]! < keys[least]!) least++;
      if (keys[i]! <= keys[least]!) return;
      swap(i, least);
      i = least;
    }
  }

  function swap(i: number, j: number): void {
    [items[i], items[j]] = [items[j]!, items[i]!];
    [keys[i], keys[j]] = [keys[j]!, keys[i]!];
  }
}
