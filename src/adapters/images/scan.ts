import { invalid } from '../../base/errors.ts';
import { type LocateObjects, type ScanRequest, type SourceScan, type SourceScanner } from '../../pipeline/ports.ts';
import { cifarFile, cifarIn } from './cifar.ts';
import { cifarInTar } from './cifar-tar.ts';
import { idxFile, idxIn } from './idx.ts';
import { DEFAULT_LIMITS, type ScanLimits } from './limits.ts';
import { isShard } from './samples.ts';
import { scanFolder } from './scan-folder.ts';
import { scanParquet } from './scan-parquet.ts';
import { scanRaw } from './scan-raw.ts';
import { scanTar } from './scan-tar.ts';
import { scanWebDataset } from './scan-webdataset.ts';
import { type SourceFiles } from './source-file.ts';
import { filesAt } from './source-files.ts';
import { sourceKind } from './source-kind.ts';
import { checkSplit, splitOfFile } from './splits.ts';

/**
 * Scans class folders, tars of them, WebDataset shards, Parquet in the Hugging Face layout, CIFAR binary and IDX.
 * @param locate finds sources that are no paths of this machine; absent: there are none
 */
export function createSourceScanner(limits: Partial<ScanLimits> = {}, locate?: LocateObjects): SourceScanner {
  const compiled = { ...DEFAULT_LIMITS, ...limits };
  if (compiled.maxImageBytes > compiled.packBytes) {
    throw invalid(
      `expected maxImageBytes of at most packBytes (${compiled.packBytes}), got ${compiled.maxImageBytes}: an image must fit a pack`,
    );
  }
  return { scan: (request) => scan(request, filesAt(request.path, locate), compiled) };
}

async function scan(request: ScanRequest, files: SourceFiles, limits: ScanLimits): Promise<SourceScan> {
  const { path, signal } = request;
  const found = await sourceKind(files, request);
  switch (found.kind) {
    case 'classFolders':
      return await scanFolder(request, files, limits);
    case 'parquet':
      return await scanParquet(request, files, found, limits);
    case 'tar': {
      const { gzip } = found;
      const batches = await cifarInTar(request, files, gzip, limits);
      if (batches) return await scanRaw(request, files, batches, limits);
      if (!(await isShard(path, { files, gzip, limits, signal }))) return await scanTar(request, files, gzip, limits);
      const choice = checkSplit(splitOfFile(path).splits, request);
      return await scanWebDataset(request, files, { shards: [{ path, gzip }], ...choice }, limits);
    }
    case 'shards': {
      const first = found.shards[0]!;
      if (await isShard(first.path, { files, gzip: first.gzip, limits, signal })) {
        return await scanWebDataset(request, files, found, limits);
      }
      if (found.shards.length === 1) {
        return await scanTar({ ...request, path: first.path }, files, first.gzip, limits, found);
      }
      throw invalid(
        `expected class folders or WebDataset shards in ${path}, got tars whose images have no .cls or .json beside them: ` +
          'name one tar of class folders as the path',
        { path },
      );
    }
    case 'cifar':
      return await scanRaw(
        request,
        files,
        found.file === null
          ? await cifarIn(files, { ...request, path: found.folder }, found.files)
          : await cifarFile(files, request),
        limits,
      );
    case 'idx':
      return await scanRaw(
        request,
        files,
        found.file === null
          ? await idxIn(files, { ...request, path: found.folder }, found.files, limits)
          : await idxFile(files, request, found.files, limits),
        limits,
      );
    case 'other':
      throw invalid(
        `expected class folders (a folder, .tar or .tar.gz), Parquet, WebDataset shards, CIFAR binary or IDX, ` +
          `got ${found.what} at ${path}: ` +
          'unpack it into class folders or make a tar of them',
        { path },
      );
  }
}
