import { invalid, PushforwardError } from '../base/errors.ts';
import { mapLimited } from '../base/map-limited.ts';
import { uploadFolder } from '../pipeline/uploads.ts';
import { type Principal } from './identity.ts';
import { type GatheredFile } from './ports.ts';
import { bytesOf, getUpload, PARALLEL, requireOpen, type UploadNeeds } from './uploads.ts';
import { type UploadView } from './views.ts';

/** Missing parts that are named; the others are counted. */
const MAX_NAMED = 1000;

/**
 * Makes the files of what was sent. An upload that is READY stays so.
 * @throws NOT_READY with `details.missing` where parts are not there or not as they were signed for
 */
export async function completeUpload(of: UploadNeeds, principal: Principal, id: string): Promise<UploadView> {
  const { projectId } = principal;
  const rows = of.catalog.project(projectId);
  const upload = await getUpload(rows, id);
  if (upload.state === 'READY') return upload;
  requireOpen(upload);
  const files = (await rows.gatheredFiles(id)).filter((file) => !file.complete);
  const missing = (
    await mapLimited(files, PARALLEL, async (file) =>
      (await completeFile(of, projectId, file)).map((number) => ({ path: file.path, number })),
    )
  ).flat();
  if (missing.length > 0) throw incomplete(id, missing);
  const expiresAt = new Date(of.clock.now().getTime() + of.uploads.keepMs);
  const { moved } = await rows.endUpload(id, { state: 'READY', expiresAt });
  const now = await getUpload(rows, id);
  if (moved) {
    of.log.info('upload ready', { uploadId: id, bytes: upload.bytes });
    await of.store.incoming.abort(uploadFolder(projectId, id)).catch((error: unknown) => {
      of.log.warn('parts that nobody needs were left in the store', { uploadId: id, error });
    });
  } else if (now.state !== 'READY') {
    // Aborted meanwhile: what was made since then is freed too.
    await freeUpload(of, projectId, id);
    requireOpen(now);
  }
  return now;
}

/** @returns numbers of the parts that are missing; none once it is complete */
async function completeFile({ catalog, store }: UploadNeeds, projectId: string, file: GatheredFile): Promise<number[]> {
  const rows = catalog.project(projectId);
  const numbers = Array.from({ length: file.partCount }, (_, index) => index + 1);
  if (file.gathering === null) return numbers;
  const signed = new Map((await rows.signedParts(file.uploadId, file.index)).map((part) => [part.number, part.sha256]));
  const unsigned = numbers.filter((number) => !signed.has(number));
  if (unsigned.length > 0) return unsigned;
  const key = uploadFolder(projectId, file.uploadId) + file.path;
  const parts = numbers.map((number) => ({ number, bytes: bytesOf(file, number), sha256: signed.get(number)! }));
  const completion = await store.incoming.complete(key, file.gathering, parts);
  if (completion.state === 'incomplete') return completion.missing;
  if (completion.state === 'complete') await rows.completeFile(file.uploadId, file.index);
  else await rows.dropGathering(file.uploadId, file.index, file.gathering);
  return completion.state === 'complete' ? [] : numbers;
}

/** Frees an upload that no import has used, whether it is READY or not. One that ended stays as it is. */
export async function abortUpload(of: UploadNeeds, principal: Principal, id: string): Promise<UploadView> {
  const rows = of.catalog.project(principal.projectId);
  await getUpload(rows, id);
  const { usedByImport } = await rows.endUpload(id, { state: 'ABORTED' });
  if (usedByImport) {
    throw invalid(`expected an upload that no import has used, got ${id}: its images are read from it`, {
      path: ['id'],
    });
  }
  await freeUpload(of, principal.projectId, id);
  return await getUpload(rows, id);
}

/** Of an upload that ended: deletes what the store holds of it, and notes that it did. */
export async function freeUpload({ catalog, store }: UploadNeeds, projectId: string, id: string): Promise<void> {
  const folder = uploadFolder(projectId, id);
  await store.incoming.abort(folder);
  const keys: string[] = [];
  for await (const { key } of store.list(folder)) keys.push(key);
  await mapLimited(keys, PARALLEL, (key) => store.delete(key));
  await catalog.project(projectId).freedUpload(id);
}

function incomplete(id: string, missing: { path: string; number: number }[]): PushforwardError {
  const some = missing.slice(0, 3).map(({ path, number }) => `part ${number} of ${path}`);
  const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : '';
  return new PushforwardError(
    'NOT_READY',
    `expected all parts of upload ${id}, got none or other bytes for ${some.join(', ')}${more}: send them and complete it again`,
    { path: ['id'], missing: missing.slice(0, MAX_NAMED), missingCount: missing.length },
  );
}
