import { type ObjectStore } from './ports.ts';

export interface CountedStore {
  store: ObjectStore;
  /** Bytes that passed so far. */
  bytes(): { bytesRead: number; bytesWritten: number };
}

/** The same store, counting the bytes that pass. */
export function countBytes(of: ObjectStore): CountedStore {
  let bytesRead = 0;
  let bytesWritten = 0;
  const store: ObjectStore = {
    ...of,
    async put(name, body, options) {
      const result = await of.put(name, body, options);
      if (result.written) bytesWritten += result.bytes;
      return result;
    },
    async get(key, range, options) {
      const bytes = await of.get(key, range, options);
      bytesRead += bytes.length;
      return bytes;
    },
    async *stream(key, range, options) {
      for await (const part of of.stream(key, range, options)) {
        bytesRead += part.length;
        yield part;
      }
    },
  };
  return { store, bytes: () => ({ bytesRead, bytesWritten }) };
}
