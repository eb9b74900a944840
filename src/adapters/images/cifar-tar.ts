import { basename, dirname } from 'node:path';
import { type ScanRequest } from '../../pipeline/ports.ts';
import { type BatchFiles, cifarIn, isBatch } from './cifar.ts';
import { safeMemberPath } from './class-folders.ts';
import { kindOfName } from './format.ts';
import { type ScanLimits } from './limits.ts';
import { type RawDataset } from './scan-raw.ts';
import { below, checkUnchanged, fileState, type SourceFiles, unreadable } from './source-file.ts';
import { tarMembers } from './tar-members.ts';

/** Bodies that are kept: those of lists of names, but of no batch. */
const MAX_LIST_BYTES = 64 * 1024;
const LOOK_BYTES = 64 * 1024;

/**
 * Batches of CIFAR in a tar, as they are handed out. It is read twice: the names of the classes may come after a batch. Null
 * if the first file that is more than text is no batch.
 */
export async function cifarInTar(
  request: ScanRequest,
  files: SourceFiles,
  gzip: boolean,
  limits: ScanLimits,
): Promise<RawDataset | null> {
  const { path: tar, signal } = request;
  const reading = { files, gzip, limits: { ...limits, maxImageBytes: MAX_LIST_BYTES }, signal };
  if (!(await beginsWithBatch(tar, reading))) return null;

  const before = await fileState(files, tar);
  const members = new Map<string, { bytes: number; offset: number; body: Uint8Array | null }>();
  for await (const { name, type, bytes, offset, body } of tarMembers(tar, reading)) {
    if (type === 'file' || type === 'contiguous-file') {
      members.set(below(tar, safeMemberPath(name, tar)), { bytes, offset, body: body && Uint8Array.from(body) });
    }
  }
  await checkUnchanged(files, tar, before);

  const inside: BatchFiles = {
    look: async (path) => {
      const member = members.get(path);
      if (!member) throw unreadable(tar, `a member ${path}`, 'none');
      return { bytes: member.bytes, etag: '' };
    },
    read: async (path) => {
      const member = members.get(path);
      return member ? (member.body ?? 'larger') : 'missing';
    },
  };
  const folder = dirname([...members.keys()].find(isBatch)!);
  const names = [...members.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path));
  const found = await cifarIn(inside, { path: folder, split: request.split }, names);
  const batches = found.files
    .map(({ path, batches: [batch] }) => ({ ...batch!, offset: members.get(path)!.offset }))
    .sort((a, b) => a.offset - b.offset);
  const { prefixBytes, labelOf } = found.files[0]!;
  return { ...found, files: [{ path: tar, gzip, batches, whole: false, prefixBytes, labelOf }] };
}

async function beginsWithBatch(tar: string, reading: Parameters<typeof tarMembers>[1]): Promise<boolean> {
  for await (const { name, type } of tarMembers(tar, { ...reading, pieceBytes: LOOK_BYTES })) {
    if (type === 'directory' || kindOfName(name) === 'companion') continue;
    return isBatch(name);
  }
  return false;
}
