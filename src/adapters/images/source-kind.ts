import { basename, dirname } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { hasCifar } from './cifar.ts';
import { SPLITS } from './class-folders.ts';
import { hasIdx, idxDimensions } from './idx.ts';
import { byCodeUnit } from '../../base/order.ts';
import { headOf } from './raw-file.ts';
import { asUnreadable, below, type SourceFiles } from './source-file.ts';

/** What lies at a path, told from its content; of folders, from the files right in it. */
export type SourceKind =
  | { kind: 'classFolders' }
  | { kind: 'parquet'; paths: string[] }
  | { kind: 'tar'; gzip: boolean }
  /** Tars of a folder; each may be compressed or not. */
  | { kind: 'shards'; shards: { path: string; gzip: boolean }[] }
  /** `files` are the names of those in `folder`; `file` is the one that was asked for, or null. */
  | { kind: 'cifar' | 'idx'; folder: string; files: string[]; file: string | null }
  | { kind: 'other'; what: string };

export async function sourceKind(files: SourceFiles, path: string): Promise<SourceKind> {
  const found = await files.look(path);
  if (found === 'folder') return await kindOfFolder(files, path);
  if (found === 'other') return { kind: 'other', what: 'neither a file nor a folder' };
  const file = await files.open(path);
  try {
    const head = await file.read(0, Math.min(512, found.bytes));
    return await kindOfFile(files, path, head ?? new Uint8Array());
  } catch (error) {
    throw asUnreadable(path, 'a readable file or folder', error);
  } finally {
    await file.close();
  }
}

async function kindOfFolder(from: SourceFiles, path: string): Promise<SourceKind> {
  const { files, folders } = await from.names(path);
  const tables = await tablesIn(from, path, files, folders);
  if (tables.length > 0) return { kind: 'parquet', paths: tables };
  if (hasCifar(files)) return { kind: 'cifar', folder: path, files, file: null };
  if (hasIdx(files)) return { kind: 'idx', folder: path, files, file: null };
  const tars = files.filter((file) => TAR.test(file));
  // Beside class folders, a tar is just a file that lies there.
  return tars.length > 0 && folders.length === 0
    ? { kind: 'shards', shards: oneSetOf(tars, path) }
    : { kind: 'classFolders' };
}

async function kindOfFile(from: SourceFiles, path: string, head: Uint8Array): Promise<SourceKind> {
  const known = magicOf(head);
  const folder = dirname(path);
  const beside = async () => (await from.names(folder)).files;
  if (known.kind === 'tar' && known.gzip) {
    // What is broken is told by whoever reads it as a tar.
    const inside = await headOf(from, { path, gzip: true }, 4).catch(() => new Uint8Array());
    return idxDimensions(inside) === null ? known : { kind: 'idx', folder, files: await beside(), file: path };
  }
  if (known.kind === 'parquet') return { kind: 'parquet', paths: [path] };
  if (known.kind !== 'other') return known;
  if (idxDimensions(head) !== null) return { kind: 'idx', folder, files: await beside(), file: path };
  const isBatch = head.length > 0 && path.endsWith('.bin');
  return isBatch ? { kind: 'cifar', folder, files: await beside(), file: path } : known;
}

const TAR = /\.(tar|tar\.gz|tgz)$/;

/** `train-000000.tar`, `train-000001.tar`, ... are of one set; INVALID_INPUT names the sets if there are more. */
function oneSetOf(tars: string[], folder: string): { path: string; gzip: boolean }[] {
  const sets = [...new Set(tars.map((file) => file.replace(/([-_.]?\d+)?\.(tar|tar\.gz|tgz)$/, '')))];
  if (sets.length > 1) {
    throw invalid(
      `expected the shards of one split in ${folder} (name-000000.tar, name-000001.tar, ...), got ${sets.sort(byCodeUnit).join(', ')}: ` +
        'name one shard, or put the shards of one split into a folder',
      { path: folder },
    );
  }
  return tars.sort(byCodeUnit).map((file) => ({ path: below(folder, file), gzip: !file.endsWith('.tar') }));
}

function magicOf(head: Uint8Array): SourceKind {
  const ascii = (from: number, to: number) => Buffer.from(head.subarray(from, to)).toString('latin1');
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'tar', gzip: true };
  if (ascii(0, 4) === 'PAR1') return { kind: 'parquet', paths: [] };
  if (head.length === 512 && isTarHeader(head)) return { kind: 'tar', gzip: false };
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
async function tablesIn(from: SourceFiles, folder: string, files: string[], folders: string[]): Promise<string[]> {
  const isTable = (name: string) => name.endsWith('.parquet');
  let names = files.filter(isTable);
  if (names.length === 0 && folders.includes('data')) {
    names = (await from.names(below(folder, 'data'))).files.filter(isTable).map((name) => `data/${name}`);
  }
  const splits = new Set(names.flatMap((name) => splitOf(name) ?? []));
  if (splits.size > 1) {
    throw invalid(
      `expected the files of one split in ${folder}, got ${[...splits].sort(byCodeUnit).join(', ')}: ` +
        'name one file, or put the files of one split into a folder',
      { path: folder },
    );
  }
  return names.sort(byCodeUnit).map((name) => below(folder, name));
}

/** `data/train-00000-of-00002.parquet` and `train.parquet` are of train; other names tell no split. */
function splitOf(name: string): string | null {
  const sharded = /([^/]+)-\d{5}-of-\d{5}\.parquet$/.exec(name)?.[1];
  if (sharded !== undefined) return sharded;
  const plain = basename(name, '.parquet');
  return SPLITS.has(plain.toLowerCase()) ? plain : null;
}
