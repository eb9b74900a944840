import { PushforwardError } from '../../base/errors.ts';

/**
 * What the driver throws when the database is away, too busy or asks to try again, as opposed to a query that is wrong:
 * system errors of the socket, and the SQLSTATE classes of connection (08), transaction rollback (40), resources (53) and
 * operator intervention (57).
 */
const SYSTEM_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const SQL_STATES = /^(08|40|53|57)[0-9A-Z]{3}$/;
const LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

export function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return SYSTEM_ERRORS.has(code) || SQL_STATES.test(code) || LOST.test(error.message);
}

/** NUL in a text, or in jsonb. */
const NO_TEXT = new Set(['22021', '22P05']);

/** The same methods; outages are thrown as DATABASE_UNAVAILABLE, text that Postgres cannot hold as INVALID_INPUT. */
export function namingOutages<T extends object>(of: T): T {
  const named = Object.entries(of).map(([name, method]: [string, (...args: unknown[]) => Promise<unknown>]) => [
    name,
    async (...args: unknown[]) => {
      try {
        return await method(...args);
      } catch (cause) {
        if (NO_TEXT.has((cause as NodeJS.ErrnoException | null)?.code ?? '')) {
          const message = 'expected text without NUL characters, got some: remove them';
          throw new PushforwardError('INVALID_INPUT', message, {}, { cause });
        }
        if (!isDatabaseOutage(cause)) throw cause;
        throw new PushforwardError(
          'DATABASE_UNAVAILABLE',
          `expected PostgreSQL to answer, got ${(cause as Error).message}: it is tried again once the database is back`,
          {},
          { cause },
        );
      }
    },
  ]);
  return Object.fromEntries(named) as T;
}
