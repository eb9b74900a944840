import { type RawBuilder, sql, type Transaction } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { type UploadEnd, type UploadOrder } from '../../control/ports.ts';
import { now } from './run-writes.ts';
import { type Database } from './schema.ts';

/**
 * Uploads that may expire, and those that ended and may still lie in the store: until they are freed, and once more an hour after
 * they ended, for what was completed at that very moment by a service that then died.
 */
export function overdue(moment: Date): RawBuilder<boolean> {
  return sql<boolean>`(
    (state in ('OPEN', 'READY') and expires_at <= ${moment} and not ${usedByImport})
    or (state in ('ABORTED', 'EXPIRED') and (
      freed_at is null or (freed_at < ended_at + interval '1 hour' and ended_at + interval '1 hour' <= ${moment})
    ))
  )`;
}

/** An import that neither failed nor was deleted reads from it: whatever was made of that import may read from it again. */
export const usedByImport = sql<boolean>`exists (
  select from import_keys k join dataset_versions v on v.id = k.dataset_version_id
  where k.project_id = uploads.project_id
    and k.source ->> 'path' like 'upload:%'
    and split_part(k.source ->> 'path', '/', 1) = 'upload:' || uploads.id
    and v.state <> 'FAILED'
    and not exists (
      select from artifacts a where a.project_id = v.project_id and a.id = v.artifact_id and a.state = 'DELETED'
    )
)`;

/** Takes the row's lock, so that it stays READY until the import that asks is recorded. @throws NOT_READY */
export async function holdUpload(tx: Transaction<Database>, projectId: string, uploadId: string): Promise<void> {
  const row = await tx
    .selectFrom('uploads')
    .where('project_id', '=', projectId)
    .where('id', '=', uploadId)
    .select('state')
    .forShare()
    .executeTakeFirst();
  if (row?.state === 'READY') return;
  throw new PushforwardError(
    'NOT_READY',
    `expected upload ${uploadId} to be READY, got ${row?.state ?? 'none'}: upload the files again`,
    { path: ['path'], id: uploadId },
  );
}

/** Whoever comes second with a key waits for the first one's row. */
export async function createUpload(tx: Transaction<Database>, projectId: string, order: UploadOrder) {
  const inserted = await tx
    .insertInto('uploads')
    .values({
      id: order.id,
      project_id: projectId,
      state: 'OPEN',
      idempotency_key: order.idempotencyKey,
      fingerprint: order.fingerprint,
      bytes: order.files.reduce((sum, file) => sum + file.bytes, 0),
      expires_at: order.expiresAt,
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'idempotency_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (!inserted) {
    const there = await tx
      .selectFrom('uploads')
      .where('project_id', '=', projectId)
      .where('idempotency_key', '=', order.idempotencyKey)
      .select('id')
      .executeTakeFirstOrThrow();
    return { uploadId: there.id, created: false };
  }
  await tx
    .insertInto('upload_files')
    .values(
      order.files.map((file, index) => ({
        upload_id: order.id,
        index,
        path: file.path,
        bytes: file.bytes,
        part_bytes: file.partBytes,
        part_count: file.partCount,
      })),
    )
    .execute();
  return { uploadId: order.id, created: true };
}

/** The lock comes first: an import that is being recorded holds it, and is then seen by `usedByImport`. */
export async function endUpload(tx: Transaction<Database>, projectId: string, uploadId: string, end: UploadEnd) {
  const row = () => tx.selectFrom('uploads').where('project_id', '=', projectId).where('id', '=', uploadId);
  await row().select('id').forUpdate().executeTakeFirst();
  const upload = await row()
    .select(['state', 'expires_at', usedByImport.as('used')])
    .executeTakeFirst();
  if (!upload) return { moved: false, usedByImport: false };
  const legal = upload.state === 'OPEN' || (upload.state === 'READY' && end.state !== 'READY' && !upload.used);
  const due = end.state !== 'EXPIRED' || upload.expires_at <= end.now;
  if (!legal || !due) return { moved: false, usedByImport: upload.used };
  await tx
    .updateTable('uploads')
    .set({ state: end.state, ended_at: now, ...(end.state === 'READY' && { expires_at: end.expiresAt }) })
    .where('id', '=', uploadId)
    .execute();
  return { moved: true, usedByImport: false };
}

export async function forgetParts(tx: Transaction<Database>, uploadId: string, file?: number): Promise<void> {
  let query = tx.deleteFrom('upload_parts').where('upload_id', '=', uploadId);
  if (file !== undefined) query = query.where('file', '=', file);
  await query.execute();
}
