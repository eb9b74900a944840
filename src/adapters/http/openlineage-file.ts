import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LineageSink } from '../../control/ports.ts';

/** Appends events to a file, one a line. Where it is moved away, the next event begins a new one. */
export function createOpenLineageFile(path: string): LineageSink {
  let last: Promise<unknown> = Promise.resolve();

  async function append(line: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'a+');
    try {
      await file.write((await isTorn(file)) ? `\n${line}\n` : `${line}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  return {
    name: 'file',
    async send(event) {
      const appended = last.then(() => append(JSON.stringify(event)));
      last = appended.catch(() => {});
      try {
        await appended;
        return { kind: 'sent' };
      } catch (error) {
        return {
          kind: 'unavailable',
          reason: `expected to append to the file of OpenLineage events, got ${(error as Error).message}`,
          afterMs: null,
        };
      }
    },
  };
}

/** Whether the last line was not written to its end: the disk was full, or the machine went away. */
async function isTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}
