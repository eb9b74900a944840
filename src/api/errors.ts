import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { type ErrorCode, type ErrorRecord, PushforwardError } from '../base/errors.ts';
import { type Log } from '../base/log.ts';

/** Codes of errors, mapped here and nowhere else, to the members of the result unions. */
const MEMBERS: Partial<Record<ErrorCode, string | string[]>> = {
  INVALID_INPUT: 'InvalidInput',
  LIMIT_EXCEEDED: 'InvalidInput',
  EMPTY_CLASS: 'InvalidInput',
  NOT_FOUND: 'NotFound',
  IDEMPOTENCY_CONFLICT: 'IdempotencyConflict',
  NOT_READY: 'NotReady',
  ARTIFACT_DELETED: 'NotReady',
  SOURCE_UNREADABLE: 'SourceUnreadable',
  SOURCE_CHANGED: 'SourceUnreadable',
  // The path of a source, or of a file in the input.
  UNSAFE_PATH: ['SourceUnreadable', 'InvalidInput'],
  PRIOR_INVALID: 'PriorInvalid',
  BUDGET_EXCEEDED: 'BudgetExceeded',
  GATES_FAILED: 'GatesFailed',
};

/**
 * Answers with a member of a result union: what `work` gives, or the expected failure.
 * @param members the failures that this union has; any other is thrown on
 */
export async function asResult<T extends object>(
  success: string,
  members: readonly string[],
  work: () => Promise<T>,
): Promise<object> {
  try {
    return { __typename: success, ...(await work()) };
  } catch (error) {
    if (!(error instanceof PushforwardError)) throw error;
    const failure = toUserError(error.toRecord(), members);
    if (!failure) throw error;
    return failure;
  }
}

function toUserError(record: ErrorRecord, members: readonly string[]): object | null {
  const details = record.details ?? {};
  const member = membersOf(record).find((name) => members.includes(name));
  if (member === undefined) return null;
  return {
    __typename: member,
    code: record.code,
    message: record.message,
    remedy: remedyOf(record),
    path: Array.isArray(details['path']) ? details['path'].map(String) : [],
    id: typeof details['id'] === 'string' ? details['id'] : null,
    className: details['className'],
    images: details['images'],
    largestImagesPerClass: details['largestImagesPerClass'],
    missing: details['missing'],
    missingCount: details['missingCount'],
    budgetUsd: details['budgetUsd'],
    spentUsd: details['spentUsd'],
    expectedUsd: details['expectedUsd'],
    gates: details['gates'],
  };
}

function membersOf({ code, details = {} }: ErrorRecord): string[] {
  if ('largestImagesPerClass' in details) return ['NotEnoughImages'];
  if ('missingCount' in details) return ['UploadIncomplete'];
  return [MEMBERS[code] ?? []].flat();
}

/** Messages end in `: remedy`. */
function remedyOf(record: ErrorRecord): string | null {
  const said = record.details?.['remedy'];
  if (typeof said === 'string') return said;
  const colon = record.message.lastIndexOf(': ');
  return colon < 0 ? null : record.message.slice(colon + 2);
}

/** Codes that graphql and Apollo give to requests that are themselves at fault. */
const REQUEST_CODES = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/**
 * An error as clients see it. Ours keep code and message; whatever was not foreseen is logged whole and shown only as
 * INTERNAL with the trace id under which to look for it.
 */
export function formatError(
  formatted: GraphQLFormattedError,
  error: unknown,
  of: { log: Log; traceId: string },
): GraphQLFormattedError {
  const cause = originalOf(error);
  const where = {
    ...(formatted.locations && { locations: formatted.locations }),
    ...(formatted.path && { path: formatted.path }),
  };
  if (cause instanceof PushforwardError && cause.code !== 'INTERNAL') {
    return { message: cause.message, ...where, extensions: { code: cause.code } };
  }
  const code = formatted.extensions?.['code'];
  const fromRequest = typeof code === 'string' && REQUEST_CODES.has(code);
  if (
    fromRequest ||
    (cause instanceof GraphQLError && cause.originalError === undefined && code !== 'INTERNAL_SERVER_ERROR')
  ) {
    return { message: formatted.message, ...where, extensions: { code: fromRequest ? code : 'BAD_REQUEST' } };
  }
  of.log.error('request failed', {
    traceId: of.traceId,
    error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    path: formatted.path,
  });
  return {
    message: `something went wrong that was not foreseen: look for trace ${of.traceId} in the log of the service`,
    ...where,
    extensions: { code: 'INTERNAL', traceId: of.traceId },
  };
}

function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? originalOf(error.originalError) : error;
}
