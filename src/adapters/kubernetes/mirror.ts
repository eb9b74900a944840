import { type V1ObjectMeta } from '@kubernetes/client-node';
import { type Clock } from '../../base/clock.ts';
import { PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { type Listed } from './cluster.ts';

interface Kept {
  metadata?: V1ObjectMeta;
}

/** What the cluster has of one kind, kept up by a list and a watch after it, over and over. */
export interface Mirror<T> {
  get(name: string): T | undefined;
  all(): Iterable<T>;
  group(key: string): Iterable<T>;
  /** Takes in what a request answered, before the watch tells of it. */
  put(object: T): void;
  /** Resolves once everything was listed; rejects if that is refused. */
  readonly listed: Promise<void>;
  /** Milliseconds since the cluster last answered. */
  silentMs(): number;
  close(): void;
}

const BACKOFF_MS = [250, 500, 1_000, 2_000, 5_000];

/**
 * A watch ends by itself every few minutes, and then everything is listed anew: so whatever a watch may have missed is
 * found, without a clock of our own.
 * @param groupOf by what `group` finds an object
 * @param onChange told the group of each object that came, changed or went
 * @param onGone told of each object that went, as it was last: its end may be seen in that alone
 */
export function createMirror<T extends Kept>(of: {
  name: string;
  source: Listed<T>;
  groupOf(object: T): string;
  onChange(group: string): void;
  onGone?(object: T): void;
  clock: Clock;
  log: Log;
}): Mirror<T> {
  const { name, source, groupOf, onChange, onGone, clock, log } = of;
  const objects = new Map<string, { object: T; list: number }>();
  const groups = new Map<string, Map<string, T>>();
  const closing = new AbortController();
  const listed = Promise.withResolvers<void>();
  listed.promise.catch(() => {});
  /** Counts the lists that were begun: what was put in after that is not gone because a list lacks it. */
  let lists = 0;
  let heardAt = clock.now().getTime();

  const nameOf = (object: T) => object.metadata!.name!;

  function put(object: T): void {
    const known = objects.get(nameOf(object));
    if (known && isOlder(object, known.object)) return;
    objects.set(nameOf(object), { object, list: lists });
    const group = groupOf(object);
    if (!groups.has(group)) groups.set(group, new Map());
    groups.get(group)!.set(nameOf(object), object);
    onChange(group);
  }

  function remove(object: T): void {
    const known = objects.get(nameOf(object));
    // Another of the same name may have come since.
    if (!known || known.object.metadata!.uid !== object.metadata!.uid) return;
    objects.delete(nameOf(object));
    const group = groupOf(known.object);
    groups.get(group)?.delete(nameOf(object));
    if (groups.get(group)?.size === 0) groups.delete(group);
    onGone?.(object);
    onChange(group);
  }

  async function listAndWatch(): Promise<void> {
    const list = ++lists;
    const { items, resourceVersion } = await source.list();
    heardAt = clock.now().getTime();
    const there = new Set(items.map((item) => item.metadata!.uid));
    for (const { object, list: putAt } of [...objects.values()]) {
      if (putAt < list && !there.has(object.metadata!.uid)) remove(object);
    }
    items.forEach(put);
    listed.resolve();
    await source.watch(
      resourceVersion,
      ({ type, object }) => {
        heardAt = clock.now().getTime();
        if (type === 'DELETED') remove(object);
        else if (type !== 'BOOKMARK') put(object);
      },
      closing.signal,
    );
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted;) {
      const begun = clock.now().getTime();
      try {
        await listAndWatch();
        // One that ends at once is not asked again at once.
        if (clock.now().getTime() - begun > BACKOFF_MS[0]!) failures = 0;
        else await clock.sleep(BACKOFF_MS[0]!, closing.signal);
      } catch (error) {
        if (closing.signal.aborted) break;
        if (error instanceof PushforwardError && error.code !== 'CLUSTER_UNAVAILABLE') listed.reject(error);
        const wait = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)]!;
        log.warn(`the ${name} of the cluster cannot be followed; trying again`, { error: toErrorRecord(error) });
        await clock.sleep(wait, closing.signal);
      }
    }
  }
  void follow();

  return {
    get: (of) => objects.get(of)?.object,
    *all() {
      for (const { object } of objects.values()) yield object;
    },
    group: (key) => groups.get(key)?.values() ?? [],
    put,
    listed: listed.promise,
    silentMs: () => clock.now().getTime() - heardAt,
    close: () => closing.abort(),
  };
}

/** Versions of one object are whole numbers that only grow; those of another say nothing. */
function isOlder(object: Kept, than: Kept): boolean {
  if (object.metadata?.uid !== than.metadata?.uid) return false;
  return Number(object.metadata?.resourceVersion) < Number(than.metadata?.resourceVersion);
}
