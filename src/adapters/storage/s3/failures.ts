import { PushforwardError } from '../../../base/errors.ts';
import { type BucketUse } from './settings.ts';

/** The fields by which the SDK's errors are told apart. */
export interface ServiceError extends Error {
  code?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
}

export const statusOf = (error: unknown): number | undefined => (error as ServiceError).$metadata?.httpStatusCode;
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

/** How often the request was sent: beyond the first time, what a try before did may already be there. */
export const triesOf = (error: unknown): number => (error as ServiceError).$metadata?.attempts ?? 1;

/** The SDK could not read the answer: a web page, say, or a proxy's. It then speaks of its own inside. */
const isForeign = (error: Error): boolean => /Deserialization error/.test(error.message);

/** The object is not there. A bucket that is not there has a name of its own, except where an answer has no body. */
export const isMissing = (error: unknown): boolean => ['NoSuchKey', 'NotFound'].includes(nameOf(error));

/** A multipart upload that never was, was completed or was aborted. */
export const isOver = (error: unknown): boolean => nameOf(error) === 'NoSuchUpload';

/** Another writer was at work on the key at that moment: the same again may succeed. */
export const isConflict = (error: unknown): boolean =>
  ['ConditionalRequestConflict', 'OperationAborted'].includes(nameOf(error));

/** What came was not what was sent: the same again may come whole. */
export const isDamagedUpload = (error: unknown): boolean =>
  ['BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch'].includes(nameOf(error));

export const isPreconditionFailed = (error: unknown): boolean => statusOf(error) === 412;

/**
 * Failures of the service, the way to it or the credentials become STORE_UNAVAILABLE; SOURCE_UNREADABLE where a source stays
 * closed however often it is tried. Anything else is handed on as it is.
 */
export function s3Failure(
  error: unknown,
  { doing, place, use }: { doing: string; place: string; use: BucketUse },
): unknown {
  if (error instanceof PushforwardError || !(error instanceof Error)) return error;
  const closed = use === 'source' ? closedSource(error) : null;
  const remedy = closed ?? remedyOf(error);
  if (remedy === null) return error;
  const { code } = error as ServiceError;
  const told = isForeign(error)
    ? ['an answer that is none of S3']
    : [error.name, code, error.message].filter((part) => part && !NAMELESS.has(part));
  const reason = told.length > 0 ? [...new Set(told)] : [`status ${statusOf(error)}`];
  return new PushforwardError(
    closed === null ? 'STORE_UNAVAILABLE' : 'SOURCE_UNREADABLE',
    `expected to be able to ${doing} in ${place}, got ${reason.join(': ')}: ${remedy}`,
    { reason: reason[0], status: statusOf(error) ?? null },
    { cause: error },
  );
}

function closedSource(error: ServiceError): string | null {
  const known = CLOSED_SOURCE[error.name];
  if (known !== undefined) return known;
  // An answer to HEAD has no body that would name the reason.
  return statusOf(error) === 403 && REMEDIES[error.name] === undefined ? SOURCE_DENIED : null;
}

function remedyOf(error: ServiceError): string | null {
  if (isForeign(error)) return 'something else answers there, correct PUSHFORWARD_S3_ENDPOINT';
  const known = REMEDIES[error.name] ?? REMEDIES[error.code ?? ''];
  if (known !== undefined) return known;
  if (/region is missing/i.test(error.message)) return 'set AWS_REGION (us-east-1 for most compatible stores)';
  const status = statusOf(error);
  if (status === undefined) return error.code === undefined ? null : UNREACHABLE;
  if (status === 403) return DENIED;
  if (status === 301 || status === 307) return REGION;
  if (status === 501) return CHECKSUMS;
  return status >= 500 ? 'the store is failing, try again' : 'look at what the store says and correct the settings';
}

const DENIED =
  'give these credentials s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts, ' +
  's3:ListBucket and s3:ListBucketMultipartUploads on the bucket';
const WRONG_KEYS = 'correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile';
const EXPIRED = 'renew the credentials';
const REGION = 'set AWS_REGION to the region of the bucket';
const UNREACHABLE = 'check PUSHFORWARD_S3_ENDPOINT and the way to it, then try again';
const CHECKSUMS = 'if the store knows no checksums, set PUSHFORWARD_S3_CHECKSUMS=WHEN_REQUIRED';
const BUSY = 'the store asks for fewer requests, try again later';
const DAMAGED = 'the bytes were damaged on the way, try again';
const KEY = 'correct PUSHFORWARD_S3_SSE, and let these credentials use the key';

/** What the SDK calls an answer without a body, which is all that HEAD has. */
const NAMELESS: ReadonlySet<string> = new Set(['Error', 'Unknown', 'UnknownError']);

const SOURCE_DENIED =
  'give these credentials s3:GetObject on its objects and s3:ListBucket on the bucket, or name others (AWS_PROFILE, AWS_ACCESS_KEY_ID)';

const CLOSED_SOURCE: Record<string, string> = {
  NoSuchBucket: 'correct the name of the bucket, or the endpoint that it lies at (PUSHFORWARD_S3_ENDPOINT)',
  InvalidBucketName: 'correct the name of the bucket',
  AccessDenied: SOURCE_DENIED,
  AllAccessDisabled: SOURCE_DENIED,
  Forbidden: SOURCE_DENIED,
  InvalidObjectState: 'restore the object from its archive first',
};

const REMEDIES: Record<string, string> = {
  NoSuchBucket: 'make the bucket, or correct PUSHFORWARD_STORE',
  NotFound: 'make the bucket, or correct PUSHFORWARD_STORE and PUSHFORWARD_S3_ENDPOINT',
  InvalidBucketName: 'correct the bucket in PUSHFORWARD_STORE',
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  Forbidden: DENIED,
  InvalidAccessKeyId: WRONG_KEYS,
  SignatureDoesNotMatch: WRONG_KEYS,
  InvalidToken: EXPIRED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  CredentialsProviderError:
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine or pod a role',
  TokenProviderError: EXPIRED,
  RequestTimeTooSkewed: 'set the clock of this machine',
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  ConditionalRequestConflict: 'others keep writing the same object, try again',
  SlowDown: BUSY,
  TooManyRequests: BUSY,
  ServiceUnavailable: BUSY,
  NotImplemented: CHECKSUMS,
  BadDigest: DAMAGED,
  XAmzContentSHA256Mismatch: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  QuotaExceeded: 'the quota of the bucket is used up, free space or raise it',
  InvalidEncryptionAlgorithmError: KEY,
  'KMS.NotFoundException': KEY,
  'KMS.DisabledException': KEY,
  'KMS.AccessDeniedException': KEY,
  TimeoutError: UNREACHABLE,
  ECONNREFUSED: 'nothing answers there, check PUSHFORWARD_S3_ENDPOINT and that the store runs',
  ENOTFOUND: 'the name is not known, check PUSHFORWARD_S3_ENDPOINT, the region and the bucket',
  ECONNRESET: UNREACHABLE,
  EPIPE: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
};
