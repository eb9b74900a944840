import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { invalid } from '../../base/errors.ts';
import { type ArchiveWriter } from '../../pipeline/ports.ts';

/** The epoch: the same files give the same bytes whenever they are packed. */
const MTIME = new Date(0);

export function createArchiveWriter(): ArchiveWriter {
  return {
    async tar(files) {
      const archive = pack();
      const whole = buffer(archive);
      for (const { path, bytes } of files) {
        if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
          throw invalid(`expected a path below the root of the archive, got ${JSON.stringify(path)}: correct the name`);
        }
        archive.entry({ name: path, mtime: MTIME, mode: 0o644, uid: 0, gid: 0 }, Buffer.from(bytes));
      }
      archive.finalize();
      return new Uint8Array(await whole);
    },
  };
}
