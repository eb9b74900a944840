import { hash } from 'node:crypto';
import { opendir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { PushforwardError } from '../../base/errors.ts';
import { type ImageSource, type ScannedImage, type ScanRequest, type SourceScan } from '../../pipeline/ports.ts';
import { createClassFolders, ignore } from './class-folders.ts';
import { type ScanLimits } from './limits.ts';
import { limitExceeded, messageOf, unreadable } from './source-file.ts';

/** Files read at once: enough to keep a disk busy, few enough to hold in memory. */
const READ_AHEAD = 8;

/**
 * A folder of class folders. It is one source however many images it has; each is pinned by its digest. Links to files
 * below the root are read, links to folders below it passed over and counted, links that leave it UNSAFE_PATH.
 */
export async function scanFolder(request: ScanRequest, limits: ScanLimits): Promise<SourceScan> {
  const root = await realpath(request.path);
  const wanted = request.classes && new Set(request.classes);
  const folders = createClassFolders(request);
  const source: ImageSource = { kind: 'file', uri: root, format: 'folder', bytes: 0, etag: '' };

  async function* walk(folder: string): AsyncGenerator<{ path: string; className: string }> {
    folders.folder(folder);
    const below: string[] = [];
    const entries = await opendir(join(root, folder)).catch((error: unknown) => {
      throw unreadable(join(root, folder), 'a readable folder', messageOf(error), error);
    });
    for await (const entry of entries) {
      throwIfAborted(request.signal);
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.startsWith('.')) continue;
      const kind = entry.isSymbolicLink() ? await linked(path) : entry;
      if (kind.isDirectory()) {
        if (entry.isSymbolicLink()) ignore(folders.ignored, `${path} (link to a folder)`);
        else below.push(path);
      } else if (!kind.isFile()) ignore(folders.ignored, `${path} (no regular file)`);
      else {
        const className = folders.file(path);
        if (className !== null && (!wanted || wanted.has(className))) yield { path, className };
      }
    }
    for (const path of below) yield* walk(path);
  }

  const linked = async (path: string) => {
    const target = await realpath(join(root, path)).catch((error: unknown) => {
      throw unreadable(request.path, `the link ${path} to lead to a file`, messageOf(error), error);
    });
    if (target !== root && !target.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new PushforwardError(
        'UNSAFE_PATH',
        `expected links below ${request.path} to stay there, got ${path} that leads to ${target}: copy the file in its place`,
        { path: request.path, link: path },
      );
    }
    return await stat(target);
  };

  const scan = async ({ path, className }: { path: string; className: string }): Promise<ScannedImage> => {
    const file = join(root, path);
    try {
      const { size } = await stat(file);
      if (size > limits.maxImageBytes) {
        throw limitExceeded(root, `images of at most ${limits.maxImageBytes} bytes`, `${path} of ${size} bytes`);
      }
      const bytes = await readFile(file);
      return { className, sha256: hash('sha256', bytes), reference: { source: 0, path, bytes: bytes.length } };
    } catch (error) {
      throw error instanceof PushforwardError ? error : unreadable(file, 'a readable file', messageOf(error), error);
    }
  };

  async function* images(): AsyncGenerator<ScannedImage> {
    const reading: Promise<ScannedImage>[] = [];
    const next = async () => {
      const image = await reading.shift()!;
      source.bytes += image.reference.bytes;
      return image;
    };
    try {
      for await (const file of walk('')) {
        const image = scan(file);
        // Taken up when its turn comes; until then a failure is no unhandled one.
        image.catch(() => {});
        reading.push(image);
        if (reading.length >= READ_AHEAD) yield await next();
      }
      while (reading.length > 0) yield await next();
    } finally {
      await Promise.allSettled(reading);
    }
  }

  return {
    images: images(),
    summary: () => ({
      format: 'folder',
      sources: [source],
      ...folders.choice(),
      emptyClasses: folders.emptyClasses(),
      ignored: folders.ignored,
    }),
  };
}
