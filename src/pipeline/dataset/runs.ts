import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PushforwardError } from '../../base/errors.ts';
import { DIGEST_BYTES } from './digest-bytes.ts';
import { StoredRecord } from './stored-record.ts';

/**
 * Sorted records in a file. Of each: number of its group and length of the rest (32 bits, little-endian), digest, rest.
 */
export interface Run {
  path: string;
  bytes: number;
}

const HEADER_BYTES = 8;
const CHUNK_BYTES = 128 * 1024;

export async function writeRun(
  path: string,
  batches: Iterable<StoredRecord[]> | AsyncIterable<StoredRecord[]>,
): Promise<Run> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'wx');
  let chunk = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);
  let end = 0;
  let bytesWritten = 0;
  const put = ({ groupNumber, bytes, at, end: recordEnd }: StoredRecord) => {
    const most = end + HEADER_BYTES + recordEnd - at;
    if (most > chunk.length) chunk = Buffer.concat([chunk.subarray(0, end)], 2 * most);
    chunk.writeUInt32LE(groupNumber, end);
    chunk.writeUInt32LE(recordEnd - at - DIGEST_BYTES, end + 4);
    end += HEADER_BYTES;
    end += bytes.copy(chunk, end, at, recordEnd);
  };
  const flush = async () => {
    await file.writeFile(chunk.subarray(0, end));
    bytesWritten += end;
    end = 0;
  };
  try {
    for await (const batch of batches) {
      for (const record of batch) {
        put(record);
        if (end >= CHUNK_BYTES) await flush();
      }
    }
    await flush();
    return { path, bytes: bytesWritten };
  } finally {
    await file.close();
  }
}

/**
 * @param names by number of the group
 * @throws INTERNAL if the file is not as it was written
 */
export async function* readRun({ path, bytes }: Run, names: readonly string[]): AsyncGenerator<StoredRecord[]> {
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let read = 0; read < bytes;) {
      // Memory of their own: the records of the piece before may still be looked at.
      const chunk = Buffer.allocUnsafeSlow(rest.length + CHUNK_BYTES);
      rest.copy(chunk);
      const { bytesRead } = await file.read(chunk, rest.length, Math.min(CHUNK_BYTES, bytes - read), null);
      if (bytesRead === 0) throw cutShort(path, bytes, read);
      read += bytesRead;
      const end = rest.length + bytesRead;
      const batch: StoredRecord[] = [];
      let at = 0;
      while (at + HEADER_BYTES <= end) {
        const next = at + HEADER_BYTES + DIGEST_BYTES + chunk.readUInt32LE(at + 4);
        if (next > end) break;
        const group = chunk.readUInt32LE(at);
        batch.push(new StoredRecord().moveTo(names[group]!, group, chunk, at + HEADER_BYTES, next));
        at = next;
      }
      rest = chunk.subarray(at, end);
      if (batch.length > 0) yield batch;
    }
  } finally {
    await file.close();
  }
}

function cutShort(path: string, expected: number, received: number): PushforwardError {
  return new PushforwardError(
    'INTERNAL',
    `expected a run of ${expected} bytes in ${path}, got ${received}: let nothing else change the temporary folder, and import again`,
    { path, expected, received },
  );
}
