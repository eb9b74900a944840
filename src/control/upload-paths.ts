import { notFound, PushforwardError } from '../base/errors.ts';
import { type UploadLocation, uploadUri } from '../pipeline/uploads.ts';
import { type UploadReads } from './ports.ts';

/**
 * The name of something uploaded, to be read in place: a file, or a folder. An upload of one file is that file.
 * @throws NOT_FOUND, NOT_READY; SOURCE_UNREADABLE where the upload has no such file or folder
 */
export async function resolveUpload(
  rows: Pick<UploadReads, 'uploadsById' | 'filesOfUploads'>,
  { id, path }: UploadLocation,
): Promise<string> {
  const at = { path: ['path'], id };
  const [upload] = await rows.uploadsById([id]);
  if (!upload) throw new PushforwardError('NOT_FOUND', notFound('upload', id).message, at);
  if (upload.state !== 'READY') {
    const remedy = upload.state === 'OPEN' ? 'complete it first' : 'upload the files again';
    throw new PushforwardError('NOT_READY', `expected upload ${id} to be READY, got ${upload.state}: ${remedy}`, at);
  }
  const files = (await rows.filesOfUploads([id])).map((file) => file.path);
  if (path === '') return uploadUri({ id, path: files.length === 1 ? files[0]! : '' });
  if (files.some((file) => file === path || file.startsWith(`${path}/`))) return uploadUri({ id, path });
  throw new PushforwardError(
    'SOURCE_UNREADABLE',
    `expected a file or folder of upload ${id}, got ${JSON.stringify(path)}: choose from ${files.slice(0, 10).join(', ')}`,
    at,
  );
}
