import { hash } from 'node:crypto';
import { throwIfAborted } from '../../base/abort.ts';
import { type ImageSource, type ScannedImage, type ScanRequest, type SourceScan } from '../../pipeline/ports.ts';
import { createClassFolders, ignore } from './class-folders.ts';
import { type ScanLimits } from './limits.ts';
import { below, type FolderItem, limitExceeded, sourceChanged, type SourceFiles } from './source-file.ts';

/** Bytes that are read ahead, as far as the listing tells them. */
const READ_AHEAD_BYTES = 64 * 1024 * 1024;

type FileItem = Extract<FolderItem, { kind: 'file' }> & { className: string };

/** A folder of class folders. It is one source however many images it has; each is pinned by its digest. */
export async function scanFolder(request: ScanRequest, files: SourceFiles, limits: ScanLimits): Promise<SourceScan> {
  const root = await files.realPath(request.path);
  const wanted = request.classes && new Set(request.classes);
  const folders = createClassFolders(request);
  const source: ImageSource = { kind: 'file', uri: root, format: 'folder', bytes: 0, etag: '' };

  async function* imageFiles(): AsyncGenerator<FileItem> {
    for await (const item of files.walk(root, request.signal)) {
      throwIfAborted(request.signal);
      if (item.kind === 'folder') folders.folder(item.path);
      else if (item.kind === 'passedOver') ignore(folders.ignored, `${item.path} (${item.why})`);
      else {
        const className = folders.file(item.path);
        if (className !== null && (!wanted || wanted.has(className))) yield { ...item, className };
      }
    }
  }

  const scan = async ({ path, className, state }: FileItem): Promise<ScannedImage> => {
    const file = below(root, path);
    const larger = (bytes: string) =>
      limitExceeded(root, `images of at most ${limits.maxImageBytes} bytes`, `${path} of ${bytes}`);
    if (state && state.bytes > limits.maxImageBytes) throw larger(`${state.bytes} bytes`);
    const bytes = await files.read(file, { maxBytes: limits.maxImageBytes, state });
    if (bytes === 'larger') throw larger('more');
    if (bytes === 'missing') throw sourceChanged(file, 'listed', 'nothing there');
    return { className, sha256: hash('sha256', bytes), reference: { source: 0, path, bytes: bytes.length } };
  };

  async function* images(): AsyncGenerator<ScannedImage[]> {
    const reading: { image: Promise<ScannedImage>; bytes: number }[] = [];
    let ahead = 0;
    const next = async () => {
      const { image, bytes } = reading.shift()!;
      ahead -= bytes;
      const scanned = await image;
      source.bytes += scanned.reference.bytes;
      return [scanned];
    };
    try {
      for await (const file of imageFiles()) {
        const image = scan(file);
        // Taken up when its turn comes; until then a failure is no unhandled one.
        image.catch(() => {});
        const bytes = file.state?.bytes ?? 0;
        reading.push({ image, bytes });
        ahead += bytes;
        while (reading.length >= files.reading.parallel || ahead > READ_AHEAD_BYTES) yield await next();
      }
      while (reading.length > 0) yield await next();
    } finally {
      await Promise.allSettled(reading.map(({ image }) => image));
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
