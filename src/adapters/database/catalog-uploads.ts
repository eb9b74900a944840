import { type Kysely, type Selectable, sql } from 'kysely';
import {
  type GatheredFile,
  type UploadFileView,
  type UploadReads,
  type UploadView,
  type UploadWrites,
} from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { now } from './run-writes.ts';
import { type Database, type UploadFiles, type Uploads } from './schema.ts';
import { createUpload, endUpload, forgetParts, usedByImport } from './upload-moves.ts';

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
