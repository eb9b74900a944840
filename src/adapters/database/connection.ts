import { metrics } from '@opentelemetry/api';
import { CompiledQuery, Kysely, type LogEvent, PostgresDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { PushforwardError } from '../../base/errors.ts';
import * as first from './migrations/001-first.ts';
import * as uploads from './migrations/002-uploads.ts';
import * as retention from './migrations/003-retention.ts';
import * as limits from './migrations/004-limits.ts';
import * as imports from './migrations/005-imports.ts';
import * as lineage from './migrations/006-lineage.ts';
import * as costs from './migrations/007-costs.ts';
import * as feed from './migrations/008-feed.ts';
import * as upstream from './migrations/009-upstream.ts';
import * as running from './migrations/011-running.ts';
import * as aliases from './migrations/012-aliases.ts';
import * as projectEvents from './migrations/013-project-events.ts';
import * as webhooks from './migrations/014-webhooks.ts';
import * as newImages from './migrations/016-new-images.ts';
import * as triggers from './migrations/015-triggers.ts';
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
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }), log: queryTimes() });
}

/** Times every statement, transactions' too. */
function queryTimes(): (event: LogEvent) => void {
  const durations = metrics.getMeter('pushforward.database').createHistogram('pushforward.database.duration', {
    unit: 's',
    description: 'Seconds of a statement',
  });
  return ({ level, query, queryDurationMillis }) => {
    const operation = STATEMENTS[query.query.kind] ?? 'other';
    durations.record(queryDurationMillis / 1000, { operation, outcome: level === 'query' ? 'ok' : 'error' });
  };
}

const STATEMENTS: Record<string, string> = {
  SelectQueryNode: 'select',
  InsertQueryNode: 'insert',
  UpdateQueryNode: 'update',
  DeleteQueryNode: 'delete',
};

/** Applied in the order of their names. */
const MIGRATIONS = {
  '001-first': first,
  '002-uploads': uploads,
  '003-retention': retention,
  '004-limits': limits,
  '005-imports': imports,
  '006-lineage': lineage,
  '007-costs': costs,
  '008-feed': feed,
  '009-upstream': upstream,
  '011-running': running,
  '012-aliases': aliases,
  '013-project-events': projectEvents,
  '014-webhooks': webhooks,
  '015-triggers': triggers,
  '016-new-images': newImages,
};

/**
 * Brings the schema up to date. Several services may call it at once: one migrates, the others wait.
 * @returns the names of the migrations that it applied
 * @throws NOT_READY where a newer release has migrated the database
 */
export async function migrate(db: Kysely<Database>): Promise<string[]> {
  await outstanding(db);
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return results?.map((result) => result.migrationName) ?? [];
  const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'the list of migrations';
  throw new PushforwardError(
    'DATABASE_UNAVAILABLE',
    `expected ${failed} to apply, got ${error instanceof Error ? error.message : String(error)}: look at the database's log`,
    { migration: failed },
    { cause: error },
  );
}

/** @throws NOT_READY where migrations are outstanding, or a newer release has migrated the database */
export async function requireMigrated(db: Kysely<Database>): Promise<void> {
  const names = await outstanding(db);
  if (names.length === 0) return;
  throw new PushforwardError(
    'NOT_READY',
    `expected a database that is migrated to ${Object.keys(MIGRATIONS).at(-1)}, got one that lacks ${names.join(', ')}: ` +
      'run `pushforward migrate` of this release with the same DATABASE_URL, or unset PUSHFORWARD_MIGRATE',
    { outstanding: names },
  );
}

/** Names of the migrations that the database lacks. @throws NOT_READY where it has some that this release does not know */
async function outstanding(db: Kysely<Database>): Promise<string[]> {
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((name) => !(name in MIGRATIONS));
  if (unknown.length === 0) return Object.keys(MIGRATIONS).filter((name) => !applied.includes(name));
  throw new PushforwardError(
    'NOT_READY',
    `expected a database of this release or an older one, got one that a newer release migrated (${unknown.join(', ')}): ` +
      'start that release, or restore the backup that was taken before the upgrade',
    { unknown },
  );
}

async function appliedMigrations(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass('kysely_migration') is not null as there`.execute(
    db,
  );
  if (!rows[0]?.there) return [];
  const applied = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return applied.rows.map(({ name }) => name);
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
