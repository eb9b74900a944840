import { type Kysely, type RawBuilder, type Selectable, sql, type Transaction } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import {
  type GatheredFile,
  type UploadEnd,
  type UploadFileView,
  type UploadOrder,
  type UploadReads,
  type UploadView,
  type UploadWrites,
} from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { now } from './run-writes.ts';
import { type Database, type UploadFiles, type Uploads } from './schema.ts';

/** An import that did not fail reads from it: whatever was made of that import may read from it again. */
const usedByImport = sql<boolean>`exists (
  select from import_keys k join dataset_versions v on v.id = k.dataset_version_id
  where k.project_id = uploads.project_id
    and k.source ->> 'path' like 'upload:%'
    and split_part(k.source ->> 'path', '/', 1) = 'upload:' || uploads.id
    and v.state <> 'FAILED'
)`;

/** Uploads that may expire, and those that ended and still lie in the store. */
export function overdue(moment: Date): RawBuilder<boolean> {
  return sql<boolean>`(
    (state in ('OPEN', 'READY') and expires_at <= ${moment} and not ${usedByImport})
    or (state in ('ABORTED', 'EXPIRED') and freed_at is null)
  )`;
}

export function uploadQueries(db: Kysely<Database>, projectId: string): UploadReads & UploadWrites {
  const uploads = () => db.selectFrom('uploads').where('project_id', '=', projectId);
  const ofProject = (of: Kysely<Database>, ids: readonly string[]) =>
    of
      .selectFrom('uploads')
      .where('project_id', '=', projectId)
      .where('id', 'in', [...ids])
      .select('id');
  const openUpload = (of: Kysely<Database>, id: string) => ofProject(of, [id]).where('state', '=', 'OPEN');

  return {
    async uploadsById(ids) {
      if (ids.length === 0) return [];
      const rows = await uploads()
        .where('id', 'in', [...ids])
        .selectAll()
        .select(usedByImport.as('used'))
        .execute();
      return rows.map(toUpload);
    },

    async uploads({ first, after }) {
      let query = uploads()
        .selectAll()
        .select(usedByImport.as('used'))
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('uploads', projectId, after));
      return toPage(await query.execute(), first, toUpload);
    },

    async filesOfUploads(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('upload_files')
        .where('upload_id', 'in', ofProject(db, ids))
        .selectAll()
        .orderBy('upload_id')
        .orderBy('index')
        .execute();
      return rows.map(toFile);
    },

    async uploadByKey(idempotencyKey) {
      const row = await uploads()
        .where('idempotency_key', '=', idempotencyKey)
        .select(['id', 'fingerprint'])
        .executeTakeFirst();
      return row ?? null;
    },

    createUpload: (order) => db.transaction().execute((tx) => createUpload(tx, projectId, order)),

    async gatheredFiles(uploadId, paths) {
      let query = db
        .selectFrom('upload_files')
        .where('upload_id', 'in', ofProject(db, [uploadId]))
        .selectAll()
        .orderBy('index');
      if (paths) query = query.where('path', 'in', [...paths]);
      return (await query.execute()).map(toGatheredFile);
    },

    async setGathering(uploadId, file, gathering) {
      const row = await db
        .updateTable('upload_files')
        .set((of) => ({ gathering: of.fn.coalesce('gathering', sql<string>`${gathering}`) }))
        .where('upload_id', 'in', openUpload(db, uploadId))
        .where('index', '=', file)
        .returning('gathering')
        .executeTakeFirst();
      return row?.gathering ?? null;
    },

    dropGathering: (uploadId, file, gathering) =>
      db.transaction().execute(async (tx) => {
        const dropped = await tx
          .updateTable('upload_files')
          .set({ gathering: null })
          .where('upload_id', 'in', openUpload(tx, uploadId))
          .where('index', '=', file)
          .where('gathering', '=', gathering)
          .where('complete', '=', false)
          .returning('index')
          .executeTakeFirst();
        if (dropped) await forgetParts(tx, uploadId, file);
      }),

    recordParts: (uploadId, parts, expiresAt) =>
      db.transaction().execute(async (tx) => {
        const open = await tx
          .updateTable('uploads')
          .set({ expires_at: expiresAt })
          .where('id', 'in', openUpload(tx, uploadId))
          .returning('id')
          .executeTakeFirst();
        if (!open || parts.length === 0) return;
        await tx
          .insertInto('upload_parts')
          .values(parts.map((part) => ({ upload_id: uploadId, ...part })))
          .onConflict((conflict) =>
            conflict
              .columns(['upload_id', 'file', 'number'])
              .doUpdateSet((of) => ({ sha256: of.ref('excluded.sha256') })),
          )
          .execute();
      }),

    signedParts: (uploadId, file) =>
      db
        .selectFrom('upload_parts')
        .where('upload_id', 'in', ofProject(db, [uploadId]))
        .where('file', '=', file)
        .select(['number', 'sha256'])
        .orderBy('number')
        .execute(),

    completeFile: (uploadId, file) =>
      db.transaction().execute(async (tx) => {
        const completed = await tx
          .updateTable('upload_files')
          .set({ complete: true })
          .where('upload_id', 'in', openUpload(tx, uploadId))
          .where('index', '=', file)
          .returning('index')
          .executeTakeFirst();
        if (completed) await forgetParts(tx, uploadId, file);
      }),

    endUpload: (uploadId, end) => db.transaction().execute((tx) => endUpload(tx, projectId, uploadId, end)),

    freedUpload: (uploadId) =>
      db.transaction().execute(async (tx) => {
        const freed = await tx
          .updateTable('uploads')
          .set({ freed_at: now })
          .where('project_id', '=', projectId)
          .where('id', '=', uploadId)
          .where('state', 'in', ['ABORTED', 'EXPIRED'])
          .returning('id')
          .executeTakeFirst();
        if (freed) await forgetParts(tx, uploadId);
      }),
  };
}

/** Takes the row's lock, so that it stays READY until the import that asks is recorded. @throws NOT_FOUND, NOT_READY */
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
async function createUpload(tx: Transaction<Database>, projectId: string, order: UploadOrder) {
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
async function endUpload(tx: Transaction<Database>, projectId: string, uploadId: string, end: UploadEnd) {
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

async function forgetParts(tx: Transaction<Database>, uploadId: string, file?: number): Promise<void> {
  let query = tx.deleteFrom('upload_parts').where('upload_id', '=', uploadId);
  if (file !== undefined) query = query.where('file', '=', file);
  await query.execute();
}

const toUpload = (row: Selectable<Uploads> & { used: boolean }): UploadView => ({
  id: row.id,
  state: row.state,
  bytes: row.bytes,
  createdAt: row.created_at,
  expiresAt: (row.state === 'OPEN' || row.state === 'READY') && !row.used ? row.expires_at : null,
  endedAt: row.ended_at,
});

const toFile = (row: Selectable<UploadFiles>): UploadFileView => ({
  uploadId: row.upload_id,
  path: row.path,
  bytes: row.bytes,
  partBytes: row.part_bytes,
  partCount: row.part_count,
  complete: row.complete,
});

const toGatheredFile = (row: Selectable<UploadFiles>): GatheredFile => ({
  ...toFile(row),
  index: row.index,
  gathering: row.gathering,
});
