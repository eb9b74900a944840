import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { PushforwardError } from '../../base/errors.ts';
import * as first from './migrations/001-first.ts';
import * as uploads from './migrations/002-uploads.ts';
import * as retention from './migrations/003-retention.ts';
import * as limits from './migrations/004-limits.ts';
import * as imports from './migrations/005-imports.ts';
import { type Database } from './schema.ts';

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database` */
  url: string;
  /** Connections at once; default 10. */
  connections?: number;
  /** Told of connections that broke, some twice; the pool replaces them. */
  onError?: (error: Error) => void;
}

/** Opens a pool. Nothing is sent before the first query. Close with `db.destroy()`. */
export function openDatabase(options: DatabaseOptions): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections ?? 10,
    types: { getTypeParser },
    application_name: 'pushforward',
  });
  const onError = (error: Error) => options.onError?.(error);
  pool.on('error', onError);
  // The pool listens to idle connections only: one that breaks while in use would otherwise end the process.
  pool.on('connect', (client) => client.on('error', onError));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** Applied in the order of their names. */
const MIGRATIONS = {
  '001-first': first,
  '002-uploads': uploads,
  '003-retention': retention,
  '004-limits': limits,
  '005-imports': imports,
};

/** Brings the schema up to date. Several services may call it at once: one migrates, the others wait. */
export async function migrate(db: Kysely<Database>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return;
  const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'the list of migrations';
  throw new PushforwardError(
    'DATABASE_UNAVAILABLE',
    `expected ${failed} to apply, got ${error instanceof Error ? error.message : String(error)}: look at the database's log`,
    { migration: failed },
    { cause: error },
  );
}

/** Answers, or throws DATABASE_UNAVAILABLE. */
export async function ping(db: Kysely<Database>): Promise<void> {
  try {
    await db.executeQuery(CompiledQuery.raw('select 1'));
  } catch (cause) {
    throw new PushforwardError(
      'DATABASE_UNAVAILABLE',
      `expected PostgreSQL to answer, got ${cause instanceof Error ? cause.message : String(cause)}: check DATABASE_URL`,
      {},
      { cause },
    );
  }
}

const INT8 = 20;

/** Counts and byte sizes fit in a double; the driver would hand int8 on as text. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === INT8 && format !== 'binary'
    ? Number
    : (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(
        oid,
        format,
      )) as typeof pg.types.getTypeParser;
