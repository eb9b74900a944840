import { pack, type Pack } from 'tar-stream';
import { invalid } from '../../base/errors.ts';
import { namelessSegment } from '../../base/relative-path.ts';
import { type ArchiveFile, type ArchiveWriter } from '../../pipeline/ports.ts';

/** The epoch: the same files give the same bytes whenever they are packed. */
const MTIME = new Date(0);

export function createArchiveWriter(): ArchiveWriter {
  return {
    async *tar(files) {
      const archive = pack();
      const filling = fill(archive, files).catch((error: unknown) => {
        archive.destroy(error as Error);
        throw error;
      });
      // Whoever reads the archive sees the same failure.
      filling.catch(() => {});
      try {
        yield* archive as AsyncIterable<Uint8Array>;
        await filling;
      } finally {
        archive.destroy();
      }
    },
  };
}

/** One file after another, each once those before it were taken. */
async function fill(archive: Pack, files: readonly ArchiveFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    if (namelessSegment(path) !== null) {
      throw invalid(`expected a path below the root of the archive, got ${JSON.stringify(path)}: correct the name`);
    }
    const header = { name: path, mtime: MTIME, mode: 0o644, uid: 0, gid: 0 };
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await new Promise<void>((done, failed) => {
      archive.entry(header, body, (error) => (error ? failed(error) : done()));
    });
  }
  archive.finalize();
}
