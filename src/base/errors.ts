import { inspect } from 'node:util';

/**
 * The closed set of error codes. `api` alone maps them to GraphQL.
 * A message says what was expected, what was received and what to do.
 */
export const ERROR_CODES = [
  'INVALID_INPUT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'IDEMPOTENCY_CONFLICT',
  'NOT_READY',
  'EMPTY_CLASS',
  'CORRUPT_IMAGE',
  'IMAGE_TOO_LARGE',
  'UNSAFE_PATH',
  'SOURCE_CHANGED',
  'SOURCE_UNREADABLE',
  'CORRUPT_ARTIFACT',
  'ARTIFACT_DELETED',
  'PRIOR_INVALID',
  'PROVIDER_UNAVAILABLE',
  'NON_FINITE',
  'OUT_OF_MEMORY',
  'TIMEOUT',
  'CANCELLED',
  'WORKER_LOST',
  'STORE_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
  'CLUSTER_UNAVAILABLE',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'LIMIT_EXCEEDED',
  'BUDGET_EXCEEDED',
  'GATES_FAILED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export function isErrorCode(value: unknown): value is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value);
}

/** What crosses process and database boundaries. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
}

export class PushforwardError extends Error {
  override readonly name = 'PushforwardError';
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;

  // Fields are written out so that Node can strip the types, as the benches need.
  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** The caller's input is wrong: `expected ..., got ...: remedy`. */
export function invalid(message: string, details?: Record<string, unknown>): PushforwardError {
  return new PushforwardError('INVALID_INPUT', message, details);
}

/** @param what a kind of thing that a project has; whether another project has it is not told */
export function notFound(
  what: string,
  id: string,
  remedy = 'check its id, and that it is one of this project',
): PushforwardError {
  return new PushforwardError('NOT_FOUND', `expected ${what} ${id} in this project, got none: ${remedy}`, {
    id,
    remedy,
  });
}

export function cancelled(what = 'the operation'): PushforwardError {
  return new PushforwardError('CANCELLED', `${what} was cancelled`);
}

/** Any thrown value as a record; what is not ours becomes INTERNAL with its own message. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (error instanceof PushforwardError) return error.toRecord();
  if (error instanceof Error && error.name === 'AbortError') return cancelled().toRecord();
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : inspect(error, { depth: 2 }) };
}

export function fromErrorRecord(record: ErrorRecord): PushforwardError {
  return new PushforwardError(record.code, record.message, record.details);
}
