import { type Clock } from '../../base/clock.ts';

/** Gathers what comes within a short while of each other, by key. */
export interface Gatherer<T> {
  add(key: string, one: T): void;
  /** Hands on at once what was gathered. */
  flush(): void;
}

/**
 * @param quietMs how long nothing more may come until what there is is handed on
 * @param longestMs how long the first may wait at most
 * @param most handed on at once when so many are there
 */
export function createGatherer<T>(of: {
  clock: Clock;
  quietMs: number;
  longestMs: number;
  most: number;
  handOn(some: T[]): void;
}): Gatherer<T> {
  const { clock, quietMs, longestMs, most, handOn } = of;
  const gathered = new Map<string, { some: T[]; since: number; timer: AbortController }>();

  function release(key: string): void {
    const entry = gathered.get(key);
    if (!entry) return;
    gathered.delete(key);
    entry.timer.abort();
    handOn(entry.some);
  }

  return {
    add(key, one) {
      const now = clock.now().getTime();
      const entry = gathered.get(key) ?? { some: [], since: now, timer: new AbortController() };
      gathered.set(key, entry);
      entry.some.push(one);
      if (entry.some.length >= most) return release(key);
      entry.timer.abort();
      const timer = (entry.timer = new AbortController());
      const wait = Math.max(0, Math.min(quietMs, entry.since + longestMs - now));
      void clock.sleep(wait, timer.signal).then(
        () => !timer.signal.aborted && release(key),
        () => {},
      );
    },
    flush() {
      for (const key of [...gathered.keys()]) release(key);
    },
  };
}
