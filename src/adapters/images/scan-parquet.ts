import { hash } from 'node:crypto';
import { basename } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { invalid, type PushforwardError } from '../../base/errors.ts';
import { type ImageSource, type ScannedImage, type ScanRequest, type SourceScan } from '../../pipeline/ports.ts';
import { checkRatio, type ScanLimits } from './limits.ts';
import { byCodeUnit } from '../../base/order.ts';
import { createPacker } from './packs.ts';
import { nameOf } from './scan-raw.ts';
import { checkUnchanged, type FileState, fileState, limitExceeded, type SourceFiles } from './source-file.ts';
import { type SplitChoice } from './splits.ts';
import { imageBytes, openTable } from './table-file.ts';
import { type TableLayout, tableLayout } from './table-layout.ts';

/** Parquet in the Hugging Face layout, row group by row group. Small tables stay in place, large ones are packed. */
export async function scanParquet(
  request: ScanRequest,
  files: SourceFiles,
  { paths, split, splits }: { paths: string[] } & SplitChoice,
  limits: ScanLimits,
): Promise<SourceScan> {
  const tables: (FileState & { path: string })[] = [];
  for (const path of paths) tables.push({ path, ...(await fileState(files, path)) });
  const inPlace = tables.reduce((sum, { bytes }) => sum + bytes, 0) <= limits.parquetInPlaceBytes;
  const wanted = request.classes && new Set(request.classes);
  const sources: ImageSource[] = inPlace
    ? tables.map(({ path, bytes, etag }) => ({ kind: 'file', uri: path, format: 'parquet', bytes, etag }))
    : [];
  const declared = new Set<string>();
  const found = new Set<string>();

  /** By whether the labels of a file are numbers without names: one that is. */
  const labelled = new Map<boolean, string>();
  const checkAlike = (path: string, numbers: boolean): void => {
    labelled.set(numbers, path);
    const other = labelled.get(!numbers);
    if (other === undefined) return;
    const [numbered, named] = numbers ? [path, other] : [other, path];
    throw invalid(
      `expected labels of one kind in all files of ${request.path}, got names in ${basename(named)} and numbers without names ` +
        `in ${basename(numbered)}: write them alike, or name one file as the path`,
      { path: request.path },
    );
  };

  async function* images(): AsyncGenerator<ScannedImage[]> {
    await using packer = createPacker(request.writePack, sources, limits.packBytes);
    for (const [source, table] of tables.entries()) {
      const { path } = table;
      let decoded = 0;
      for await (const { row, className, bytes } of rowsOf(table)) {
        if (wanted && !wanted.has(className)) continue;
        if (bytes.length > limits.maxImageBytes) {
          throw limitExceeded(path, `images of at most ${limits.maxImageBytes} bytes`, `row ${row} of ${bytes.length}`);
        }
        decoded += bytes.length;
        checkRatio(path, decoded, table.bytes, limits);
        const name = `${basename(path)}#${row}`;
        const reference = inPlace ? { source, path: name, bytes: bytes.length, row } : await packer.add(name, bytes);
        yield [{ className, sha256: hash('sha256', bytes), reference }];
      }
      await checkUnchanged(files, path, table);
    }
    await packer.end();
  }

  async function* rowsOf({
    path,
    etag,
  }: (typeof tables)[number]): AsyncGenerator<{ row: number; className: string; bytes: Uint8Array }> {
    const table = await openTable(path, await files.open(path, etag), limits.maxRowGroupBytes);
    try {
      const layout = tableLayout(table.metadata, path);
      for (const name of layout.classNames ?? []) declared.add(name);
      for (const group of table.groups) {
        throwIfAborted(request.signal);
        const rows = await table.readGroup(group, [layout.image, layout.label]);
        for (const [i, row] of rows.entries()) {
          const at = group.start + i;
          const bytes = imageBytes(row[layout.image]);
          if (!bytes) throw withoutBytes(row[layout.image], `row ${at} of ${path}`);
          const label = row[layout.label];
          const className = classOf(label, layout, `row ${at} of ${path}`);
          if (i === 0) checkAlike(path, isNumber(label) && layout.classNames === null);
          found.add(className);
          yield { row: at, className, bytes };
        }
      }
    } finally {
      await table.close();
    }
  }

  return {
    images: images(),
    summary: () => ({
      format: 'parquet',
      sources,
      split,
      splits,
      emptyClasses: [...declared].filter((name) => !found.has(name)).sort(byCodeUnit),
      ignored: { count: 0, examples: [] },
    }),
  };
}

/** Labels go by name, so that a table and a folder of the same images are the same version. */
function classOf(label: unknown, { classNames }: TableLayout, where: string): string {
  if (typeof label === 'string' && label !== '') return label;
  if (label instanceof Uint8Array && label.length > 0) return Buffer.from(label).toString('utf8');
  if (typeof label === 'boolean') return String(label);
  if (isNumber(label)) return nameOf(Number(label), classNames, where);
  if (typeof label === 'object' && label !== null && !(label instanceof Uint8Array)) {
    throw invalid(
      `expected text or a number as the label for ${where}, got ${Array.isArray(label) ? 'a list' : 'a struct'}: ` +
        'keep one class of each image, in a column called label',
    );
  }
  throw invalid(`expected a label for ${where}, got none: choose a split that has labels, or leave the image out`);
}

const isNumber = (label: unknown): label is number | bigint => typeof label === 'bigint' || typeof label === 'number';

function withoutBytes(cell: unknown, where: string): PushforwardError {
  const path = (cell as { path?: unknown } | null | undefined)?.path ?? cell;
  return invalid(
    `expected image bytes in ${where}, got ${typeof path === 'string' ? 'a path alone' : 'none'}: ` +
      'paths are not followed, write the images themselves into the table, or leave the row out',
  );
}
