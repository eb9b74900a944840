import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kysely } from 'kysely';
import pg from 'pg';
import { migrate, openDatabase } from '../../src/adapters/database/connection.ts';
import { startEmbeddedPostgres } from '../../src/adapters/database/embedded.ts';
import { type Database } from '../../src/adapters/database/schema.ts';
import { silentLog } from '../../src/base/log.ts';
import { storedObjects } from '../../src/pipeline/artifacts.ts';
import { type StoredObjects } from '../../src/pipeline/ports.ts';

export interface TestDatabase {
  url: string;
  db: Kysely<Database>;
  /** Of a store that has nothing. */
  objects: StoredObjects;
}

export interface TestPostgres {
  /** A migrated database of its own, made from a template. Closed by `stop`. */
  database(): Promise<TestDatabase>;
  stop(): Promise<void>;
}

/** One server per test file: `beforeAll(async () => (postgres = await startTestPostgres()))`. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pushforward-postgres-'));
  await chmod(dataDir, 0o755);
  const server = await startEmbeddedPostgres({ dataDir, log: silentLog, durable: false });
  const template = openDatabase({ url: server.url, connections: 1 });
  await migrate(template);
  await template.destroy();

  const admin = new pg.Client({ connectionString: server.url.replace(/[^/]+$/, 'postgres') });
  await admin.connect();
  const open: Kysely<Database>[] = [];
  return {
    async database() {
      const name = `test_${open.length + 1}`;
      await admin.query(`create database ${name} template pushforward`);
      const url = server.url.replace(/[^/]+$/, name);
      const db = openDatabase({ url, connections: 8 });
      open.push(db);
      return { url, db, objects: storedObjects({ head: async () => null }) };
    },
    async stop() {
      await Promise.all(open.map((db) => db.destroy()));
      await admin.end();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The rows that runs refer to: a project, a dataset version, a prior. */
export async function seedProject(db: Kysely<Database>, projectId = 'project_1') {
  await db.insertInto('projects').values({ id: projectId, name: projectId }).execute();
  await db
    .insertInto('datasets')
    .values({ id: `${projectId}_dataset`, project_id: projectId, name: 'letters' })
    .execute();
  const datasetVersionId = `${projectId}_version`;
  await db
    .insertInto('dataset_versions')
    .values({
      id: datasetVersionId,
      project_id: projectId,
      dataset_id: `${projectId}_dataset`,
      number: 1,
      state: 'READY',
      source: '{}',
    })
    .execute();
  const priorId = `${projectId}_prior`;
  await db
    .insertInto('priors')
    .values({
      id: priorId,
      project_id: projectId,
      name: 'glyphs',
      version: '1',
      digest: 'd',
      artifact_id: 'prior-artifact',
      description: '{}',
    })
    .execute();
  return { projectId, datasetVersionId, priorId };
}
