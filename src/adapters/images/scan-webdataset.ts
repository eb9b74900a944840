import { hash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { type ImageSource, type ScannedImage, type ScanRequest, type SourceScan } from '../../pipeline/ports.ts';
import { type Ignored, ignore } from './class-folders.ts';
import { namesIn } from './class-names.ts';
import { type ScanLimits } from './limits.ts';
import { byCodeUnit } from '../../base/order.ts';
import { createPacker } from './packs.ts';
import { classOfSample, samplesOf } from './samples.ts';
import { checkUnchanged, type FileState, fileState, type SourceFiles } from './source-file.ts';
import { type SplitChoice } from './splits.ts';

/** WebDataset shards. As tars of class folders: plain ones are referenced in place, the images of compressed ones packed. */
export async function scanWebDataset(
  request: ScanRequest,
  files: SourceFiles,
  { shards, split, splits }: { shards: readonly { path: string; gzip: boolean }[] } & SplitChoice,
  limits: ScanLimits,
): Promise<SourceScan> {
  const { signal } = request;
  const classNames = await namesIn(files, dirname(shards[0]!.path));
  const wanted = request.classes && new Set(request.classes);
  const ignored: Ignored = { count: 0, examples: [] };
  const found = new Set<string>();
  const states: FileState[] = [];
  for (const { path } of shards) states.push(await fileState(files, path));
  // Sources in place come first: packs are added behind them as they fill.
  const sources: ImageSource[] = [];
  const sourceOf = shards.map(({ path, gzip }, i): number | null =>
    gzip ? null : sources.push({ kind: 'file', uri: path, format: 'tar', ...states[i]! }) - 1,
  );

  async function* images(): AsyncGenerator<ScannedImage[]> {
    await using packer = createPacker(request.writePack, sources, limits.packBytes);
    for (const [i, { path, gzip }] of shards.entries()) {
      const source = sourceOf[i]!;
      for await (const sample of samplesOf(path, { files, gzip, limits, ignored, signal })) {
        const { image } = sample;
        if (!image) {
          if (sample.cls !== null) ignore(ignored, `${sample.key} in ${basename(path)} (no image)`);
          continue;
        }
        const className = classOfSample(sample, classNames, path);
        if (className === null) {
          throw invalid(
            `expected ${sample.key}.cls, or ${sample.key}.json with class or label, beside ${image.name} in ${path}, got neither: ` +
              'add the label, or leave the image out',
            { path, key: sample.key },
          );
        }
        found.add(className);
        if (wanted && !wanted.has(className)) continue;
        const { name, bytes, offset } = image;
        const reference =
          source === null ? await packer.add(name, bytes) : { source, path: name, bytes: bytes.length, offset };
        yield [{ className, sha256: hash('sha256', bytes), reference }];
      }
      await checkUnchanged(files, path, states[i]!);
    }
    await packer.end();
  }

  return {
    images: images(),
    summary: () => ({
      format: 'webdataset',
      sources,
      split,
      splits,
      emptyClasses: (classNames ?? []).filter((name) => !found.has(name)).sort(byCodeUnit),
      ignored,
    }),
  };
}
