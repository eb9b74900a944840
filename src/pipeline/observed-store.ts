import { toErrorRecord } from '../base/errors.ts';
import { type ObjectStore } from './ports.ts';

export interface StoreCall {
  operation: 'put' | 'get' | 'stream' | 'head' | 'list' | 'listFolder' | 'delete';
  /** Milliseconds since 1970, with fractions. */
  startMs: number;
  endMs: number;
  /** That came or went; 0 for what moves none. */
  bytes: number;
  /** Code of the error that it ended with; null: none. */
  error: string | null;
}

/** The same store, which tells of every call once it has ended. A stream ends when its reader stops. */
export function observeStore(of: ObjectStore, tell: (call: StoreCall) => void): ObjectStore {
  async function call<T>(
    operation: StoreCall['operation'],
    work: () => Promise<T>,
    bytesOf: (answer: T) => number = () => 0,
  ): Promise<T> {
    const startMs = nowMs();
    try {
      const answer = await work();
      tell({ operation, startMs, endMs: nowMs(), bytes: bytesOf(answer), error: null });
      return answer;
    } catch (error) {
      tell({ operation, startMs, endMs: nowMs(), bytes: 0, error: toErrorRecord(error).code });
      throw error;
    }
  }

  async function* pieces<T>(operation: StoreCall['operation'], items: AsyncIterable<T>, bytesOf: (item: T) => number) {
    const startMs = nowMs();
    let bytes = 0;
    let failure: string | null = null;
    try {
      for await (const item of items) {
        bytes += bytesOf(item);
        yield item;
      }
    } catch (error) {
      failure = toErrorRecord(error).code;
      throw error;
    } finally {
      tell({ operation, startMs, endMs: nowMs(), bytes, error: failure });
    }
  }

  return {
    ...of,
    put: (name, body, options) =>
      call(
        'put',
        () => of.put(name, body, options),
        ({ written, bytes }) => (written ? bytes : 0),
      ),
    get: (key, range, options) =>
      call(
        'get',
        () => of.get(key, range, options),
        ({ length }) => length,
      ),
    stream: (key, range, options) => pieces('stream', of.stream(key, range, options), ({ length }) => length),
    head: (key) => call('head', () => of.head(key)),
    list: (prefix) => pieces('list', of.list(prefix), () => 0),
    listFolder: (prefix) => pieces('listFolder', of.listFolder(prefix), () => 0),
    delete: (key) => call('delete', () => of.delete(key)),
  };
}

/** Milliseconds since 1970, with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
