import { opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { type ScanRequest, type SourceScan, type SourceScanner } from '../../pipeline/ports.ts';
import { SPLITS } from './class-folders.ts';
import { DEFAULT_LIMITS, type ScanLimits } from './limits.ts';
import { byName } from './order.ts';
import { scanFolder } from './scan-folder.ts';
import { scanParquet } from './scan-parquet.ts';
import { scanTar } from './scan-tar.ts';
import { messageOf, openSource, readRange, unreadable } from './source-file.ts';

/** Scans folders of class folders, tars of them, and Parquet in the Hugging Face layout. */
export function createSourceScanner(limits: Partial<ScanLimits> = {}): SourceScanner {
  const compiled = { ...DEFAULT_LIMITS, ...limits };
  if (compiled.maxImageBytes > compiled.packBytes) {
    throw invalid(
      `expected maxImageBytes of at most packBytes (${compiled.packBytes}), got ${compiled.maxImageBytes}: an image must fit a pack`,
    );
  }
  return { scan: (request) => scan(request, compiled) };
}

async function scan(request: ScanRequest, limits: ScanLimits): Promise<SourceScan> {
  const { path } = request;
  const entry = await lookAt(path);
  switch (entry.kind) {
    case 'folder':
      return entry.tables.length > 0
        ? await scanParquet(request, entry.tables, limits)
        : await scanFolder(request, limits);
    case 'parquet':
      return await scanParquet(request, [path], limits);
    case 'tar':
      return await scanTar(request, false, limits);
    case 'gzip':
      return await scanTar(request, true, limits);
    case 'other':
      throw invalid(
        `expected a folder of class folders, a .tar or .tar.gz of class folders, or .parquet, got ${entry.what} at ${path}: ` +
          'unpack it into class folders or make a tar of them',
        { path },
      );
  }
}

type Entry =
  { kind: 'folder'; tables: string[] } | { kind: 'parquet' | 'tar' | 'gzip' } | { kind: 'other'; what: string };

async function lookAt(path: string): Promise<Entry> {
  const file = await openSource(path);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) return { kind: 'folder', tables: await tablesIn(path) };
    if (!stats.isFile()) return { kind: 'other', what: 'neither a file nor a folder' };
    const head = await readRange(file, 0, Math.min(512, stats.size));
    return kindOf(head ?? new Uint8Array());
  } catch (error) {
    if (error instanceof PushforwardError) throw error;
    throw unreadable(path, 'a readable file or folder', messageOf(error), error);
  } finally {
    await file.close();
  }
}

function kindOf(head: Uint8Array): Entry {
  const ascii = (from: number, to: number) => Buffer.from(head.subarray(from, to)).toString('latin1');
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'gzip' };
  if (ascii(0, 4) === 'PAR1') return { kind: 'parquet' };
  if (head.length === 512 && isTarHeader(head)) return { kind: 'tar' };
  const known: [string, string][] = [
    ['PK', 'a zip file'],
    ['BZh', 'a bzip2 file'],
    ['\xfd7zXZ', 'an xz file'],
    ['\x28\xb5\x2f\xfd', 'a Zstandard file'],
    ['Rar!', 'a RAR file'],
    ['7z\xbc\xaf', 'a 7-Zip file'],
  ];
  const found = known.find(([magic]) => ascii(0, magic.length) === magic);
  return { kind: 'other', what: head.length === 0 ? 'an empty file' : (found?.[1] ?? 'a file of another kind') };
}

/** The sum of the header's bytes, its own field taken as spaces, stands in octal at 148; old tars have no magic. */
function isTarHeader(head: Uint8Array): boolean {
  const stated = Number.parseInt(
    Buffer.from(head.subarray(148, 156)).toString('latin1').replaceAll('\0', ' ').trim(),
    8,
  );
  const sum = head.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return sum === stated;
}

/** Parquet files right in the folder, or else those one level below in `data`, as datasets on the Hub have them. */
async function tablesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  let data = false;
  for await (const entry of await opendir(folder)) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isFile() && entry.name.endsWith('.parquet')) names.push(entry.name);
    data ||= entry.isDirectory() && entry.name === 'data';
  }
  if (names.length === 0 && data) {
    for await (const entry of await opendir(join(folder, 'data'))) {
      if (entry.isFile() && entry.name.endsWith('.parquet')) names.push(`data/${entry.name}`);
    }
  }
  const splits = new Set(names.flatMap((name) => splitOf(name) ?? []));
  if (splits.size > 1) {
    throw invalid(
      `expected the files of one split in ${folder}, got ${[...splits].sort(byName).join(', ')}: ` +
        'name one file, or put the files of one split into a folder',
      { path: folder },
    );
  }
  return names.sort(byName).map((name) => join(folder, name));
}

/** `data/train-00000-of-00002.parquet` and `train.parquet` are of train; other names tell no split. */
function splitOf(name: string): string | null {
  const sharded = /([^/]+)-\d{5}-of-\d{5}\.parquet$/.exec(name)?.[1];
  if (sharded !== undefined) return sharded;
  const plain = basename(name, '.parquet');
  return SPLITS.has(plain.toLowerCase()) ? plain : null;
}
