import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { PushforwardError } from '../../base/errors.ts';
import { namelessSegment } from '../../base/relative-path.ts';
import { type BundleFiles } from '../../pipeline/ports.ts';

/** The files below a local folder. Symbolic links are neither listed nor read. */
export function bundleFolder(root: string): BundleFiles {
  return {
    async list() {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
        throw unreadable(root, cause);
      });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      const sized = files.map(async (path) => ({
        path: path.slice(join(root, sep).length).replaceAll(sep, '/'),
        bytes: (await lstat(path)).size,
      }));
      return (await Promise.all(sized)).sort((a, b) => (a.path < b.path ? -1 : 1));
    },

    async read(path) {
      const segments = path.split('/');
      if (isAbsolute(path) || namelessSegment(path) !== null || /[\\\0]/.test(path)) {
        throw new PushforwardError(
          'UNSAFE_PATH',
          `expected a path inside the bundle, got ${JSON.stringify(path)}: correct it`,
        );
      }
      try {
        for (let depth = 1; depth <= segments.length; depth++) {
          const stats = await lstat(join(root, ...segments.slice(0, depth)));
          if (depth < segments.length ? !stats.isDirectory() : !stats.isFile()) throw new Error('not a plain file');
        }
        const chunks: Buffer[] = [];
        for await (const chunk of createReadStream(join(root, ...segments))) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      } catch (cause) {
        throw unreadable(path, cause);
      }
    },
  };
}

function unreadable(path: string, cause: unknown): PushforwardError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PushforwardError(
    'PRIOR_INVALID',
    `expected to read ${path} of the bundle, got ${reason}: add the file`,
    {},
    { cause },
  );
}
