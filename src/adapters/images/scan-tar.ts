import { hash } from 'node:crypto';
import {
  type ImageReference,
  type ImageSource,
  type ScannedImage,
  type ScanRequest,
  type SourceScan,
} from '../../pipeline/ports.ts';
import { type ClassFolders, createClassFolders, ignore, safeMemberPath } from './class-folders.ts';
import { type ScanLimits } from './limits.ts';
import { createPacker } from './packs.ts';
import { checkUnchanged, fileState, type SourceFiles } from './source-file.ts';
import { type SplitChoice, splitOfFile } from './splits.ts';
import { bodyOf, tarBatches } from './tar-members.ts';
import { type TarEntry } from './tar-parser.ts';

/**
 * A tar of class folders. A plain one is referenced in place, by byte ranges; a compressed one cannot be read at
 * random, so its images are packed. Links and devices are passed over and counted.
 * @param named what the name of the tar tells of splits
 */
export async function scanTar(
  request: ScanRequest,
  files: SourceFiles,
  gzip: boolean,
  limits: ScanLimits,
  named: SplitChoice = splitOfFile(request.path),
): Promise<SourceScan> {
  const { path, signal } = request;
  const before = await fileState(files, path);
  const folders = createClassFolders(request, named);
  const sources: ImageSource[] = gzip ? [] : [{ kind: 'file', uri: path, format: 'tar', ...before }];

  async function* images(): AsyncGenerator<ScannedImage[]> {
    await using packer = createPacker(request.writePack, sources, limits.packBytes);
    const wanted = request.classes && new Set(request.classes);
    for await (const members of tarBatches(path, { files, gzip, limits, release: true, signal })) {
      const found = imagesOf(members, { path, limits, wanted, folders });
      const packed = gzip ? await packer.addAll(found) : null;
      if (found.length > 0) yield found.map((image, i) => scannedOf(image, packed?.[i] ?? inPlace(image)));
    }
    await packer.end();
    await checkUnchanged(files, path, before);
  }

  return {
    images: images(),
    summary: () => ({
      format: gzip ? 'tar.gz' : 'tar',
      sources,
      ...folders.choice(),
      emptyClasses: folders.emptyClasses(),
      ignored: folders.ignored,
    }),
  };
}

interface TarImage {
  className: string;
  sha256: string;
  path: string;
  bytes: Uint8Array;
  /** Where it begins in the tar. */
  offset: number;
}

function imagesOf(
  members: readonly TarEntry[],
  taking: { path: string; limits: ScanLimits; wanted: ReadonlySet<string> | null; folders: ClassFolders },
): TarImage[] {
  const { path: tar, limits, wanted, folders } = taking;
  const images: TarImage[] = [];
  for (const member of members) {
    const path = safeMemberPath(member.name, tar);
    if (member.type === 'directory') folders.folder(path);
    else if (member.type !== 'file' && member.type !== 'contiguous-file') {
      ignore(folders.ignored, `${path} (${member.type ?? 'unknown type'})`);
    } else {
      const className = folders.file(path);
      if (className === null || (wanted && !wanted.has(className))) continue;
      const bytes = bodyOf(member, tar, limits);
      images.push({ className, sha256: hash('sha256', bytes), path, bytes, offset: member.offset });
    }
  }
  return images;
}

const inPlace = ({ path, bytes, offset }: TarImage): ImageReference => ({
  source: 0,
  path,
  bytes: bytes.length,
  offset,
});

const scannedOf = ({ className, sha256 }: TarImage, reference: ImageReference): ScannedImage => ({
  className,
  sha256,
  reference,
});
