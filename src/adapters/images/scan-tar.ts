import { hash } from 'node:crypto';
import { type ImageSource, type ScannedImage, type ScanRequest, type SourceScan } from '../../pipeline/ports.ts';
import { createClassFolders, ignore, safeMemberPath } from './class-folders.ts';
import { type ScanLimits } from './limits.ts';
import { createPacker } from './packs.ts';
import { checkUnchanged, fileState, type SourceFiles } from './source-file.ts';
import { type SplitChoice, splitOfFile } from './splits.ts';
import { tarBatches } from './tar-members.ts';

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
  const wanted = request.classes && new Set(request.classes);
  const folders = createClassFolders(request, named);
  const sources: ImageSource[] = gzip ? [] : [{ kind: 'file', uri: path, format: 'tar', ...before }];

  async function* images(): AsyncGenerator<ScannedImage[]> {
    await using packer = createPacker(request.writePack, sources, limits.packBytes);
    for await (const members of tarBatches(path, { files, gzip, limits, signal })) {
      const batch: ScannedImage[] = [];
      for (const member of members) {
        const name = safeMemberPath(member.name, path);
        if (member.type === 'directory') folders.folder(name);
        else if (member.type !== 'file' && member.type !== 'contiguous-file') {
          ignore(folders.ignored, `${name} (${member.type ?? 'unknown type'})`);
        } else {
          const className = folders.file(name);
          if (className === null || (wanted && !wanted.has(className))) continue;
          const bytes = member.read();
          const reference = gzip
            ? packer.add(name, bytes)
            : { source: 0, path: name, bytes: bytes.length, offset: member.offset };
          batch.push({
            className,
            sha256: hash('sha256', bytes),
            reference: reference instanceof Promise ? await reference : reference,
          });
        }
      }
      if (batch.length > 0) yield batch;
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
