import { dirname } from 'node:path';
import { hasCifar } from './cifar.ts';
import { hasIdx, idxDimensions } from './idx.ts';
import { byCodeUnit } from '../../base/order.ts';
import { headOf } from './raw-file.ts';
import { asUnreadable, below, type SourceFiles } from './source-file.ts';
import {
  checkSplit,
  type SplitChoice,
  splitOfFile,
  splitOfStem,
  splitOfWord,
  type SplitRequest,
  splitsOfStems,
  stemOf,
  takeSplit,
} from './splits.ts';
import { checkParts, isPart } from './table-parts.ts';

/** What lies at a path, told from its content; of folders, from the files right in it. */
export type SourceKind =
  | { kind: 'classFolders' }
  | ({ kind: 'parquet'; paths: string[] } & SplitChoice)
  | { kind: 'tar'; gzip: boolean }
  /** Tars of a folder; each may be compressed or not. */
  | ({ kind: 'shards'; shards: { path: string; gzip: boolean }[] } & SplitChoice)
  /** `files` are the names of those in `folder`; `file` is the one that was asked for, or null. */
  | { kind: 'cifar' | 'idx'; folder: string; files: string[]; file: string | null }
  | { kind: 'other'; what: string };

/** @throws INVALID_INPUT which lists the splits, where the names of files or folders tell several and none was asked for */
export async function sourceKind(files: SourceFiles, request: SplitRequest): Promise<SourceKind> {
  const { path } = request;
  const found = await files.look(path);
  if (found === 'folder') return await kindOfFolder(files, request);
  if (found === 'other') return { kind: 'other', what: 'neither a file nor a folder' };
  const file = await files.open(path);
  try {
    const head = await file.read(0, Math.min(512, found.bytes));
    return await kindOfFile(files, request, head ?? new Uint8Array());
  } catch (error) {
    throw asUnreadable(path, 'a readable file or folder', error);
  } finally {
    await file.close();
  }
}

async function kindOfFolder(from: SourceFiles, request: SplitRequest): Promise<SourceKind> {
  const { path } = request;
  const { files, folders } = await from.names(path);
  const tables = await tablesIn(from, path, files, folders);
  if (tables.length > 0) {
    const { items, ...choice } = takeSplit(tables, splitOfTable(tables), request);
    checkParts(items, path);
    return { kind: 'parquet', paths: items.map((name) => below(path, name)), ...choice };
  }
  const raw = rawIn(path, files) ?? (await rawBelow(from, path, folders));
  if (raw) return raw;
  const tars = files.filter((file) => TAR.test(file));
  // Beside class folders, a tar is just a file that lies there.
  if (tars.length > 0 && folders.length === 0) {
    const named = splitsOfStems(tars.map(stemOf));
    const { items, ...choice } = takeSplit(tars.sort(byCodeUnit), (file) => named.get(stemOf(file))!, request);
    return {
      kind: 'shards',
      shards: items.map((file) => ({ path: below(path, file), gzip: !file.endsWith('.tar') })),
      ...choice,
    };
  }
  await lookForSplits(from, request, folders);
  return { kind: 'classFolders' };
}

function rawIn(folder: string, files: string[]): SourceKind | null {
  if (hasCifar(files)) return { kind: 'cifar', folder, files, file: null };
  return hasIdx(files) ? { kind: 'idx', folder, files, file: null } : null;
}

/** In the only folder there: so CIFAR lies once it is unpacked, and MNIST where torchvision put it. */
async function rawBelow(from: SourceFiles, path: string, folders: string[]): Promise<SourceKind | null> {
  if (folders.length !== 1) return null;
  const inner = below(path, folders[0]!);
  return rawIn(inner, (await from.names(inner)).files);
}

/** Most often they lie right in the folder: then the choice is asked for before anything is read. */
async function lookForSplits(from: SourceFiles, request: SplitRequest, folders: string[]): Promise<void> {
  if (request.split) return;
  const splits: string[] = [];
  for (const name of folders) {
    const split = splitOfWord(name);
    if (split !== null && (await from.names(below(request.path, name))).folders.length > 0) splits.push(split);
  }
  checkSplit(splits, request);
}

async function kindOfFile(from: SourceFiles, request: SplitRequest, head: Uint8Array): Promise<SourceKind> {
  const { path } = request;
  const known = magicOf(head);
  const folder = dirname(path);
  const beside = async () => (await from.names(folder)).files;
  if (known.kind === 'tar' && known.gzip) {
    // What is broken is told by whoever reads it as a tar.
    const inside = await headOf(from, { path, gzip: true }, 4).catch(() => new Uint8Array());
    return idxDimensions(inside) === null ? known : { kind: 'idx', folder, files: await beside(), file: path };
  }
  if (known.kind === 'parquet') {
    return { kind: 'parquet', paths: [path], ...checkSplit(splitOfFile(path).splits, request) };
  }
  if (known.kind !== 'other') return known;
  if (idxDimensions(head) !== null) return { kind: 'idx', folder, files: await beside(), file: path };
  const isBatch = head.length > 0 && path.endsWith('.bin');
  return isBatch ? { kind: 'cifar', folder, files: await beside(), file: path } : known;
}

const TAR = /\.(tar|tar\.gz|tgz)$/;

function magicOf(head: Uint8Array): SourceKind {
  const ascii = (from: number, to: number) => Buffer.from(head.subarray(from, to)).toString('latin1');
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'tar', gzip: true };
  if (ascii(0, 4) === 'PAR1') return { kind: 'parquet', paths: [], split: null, splits: [] };
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
  return names.sort(byCodeUnit);
}

/** Files that count their parts (`train-00000-of-00002.parquet`) are of sets; of the others, a word of the name may tell the split. */
function splitOfTable(names: readonly string[]): (name: string) => string | null {
  const named = splitsOfStems(names.filter(isPart).map(stemOf));
  return (name) => (isPart(name) ? named.get(stemOf(name))! : splitOfStem(stemOf(name)));
}
