import { type ErrorRequestHandler } from 'express';
import { type ErrorCode, PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';

const STATUS: Partial<Record<ErrorCode, number>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  NOT_READY: 503,
  DATABASE_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  CLUSTER_UNAVAILABLE: 503,
};

/** What a handler throws becomes a status and a JSON body; what was not foreseen is told to the log alone. */
export function errorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const fromClient = clientStatus(error);
    if (response.headersSent) return next(error);
    if (fromClient) {
      response.status(fromClient).json({ errors: [faultOfBody(error as BodyError)] });
      return;
    }
    const record = toErrorRecord(error);
    const status = STATUS[record.code] ?? 500;
    // Probes ask a service that starts or stops again and again.
    if (status >= 500 && record.code !== 'NOT_READY')
      log.error('request failed', { path: request.path, error: error instanceof Error ? error.stack : error });
    const message =
      error instanceof PushforwardError ? record.message : 'something went wrong that was not foreseen: see the log';
    response.status(status).json({ code: record.code, message });
  };
}

/** As the body parser makes them. */
interface BodyError extends Error {
  type?: string;
  /** In bytes, where it is too large. */
  limit?: number;
  length?: number;
}

function faultOfBody({ type, limit, length, message }: BodyError): object {
  if (type !== 'entity.too.large') return { message, extensions: { code: 'BAD_REQUEST' } };
  return {
    message: `expected a body of at most ${limit} bytes, got ${length ?? 'more'}: send less in one request`,
    extensions: { code: 'LIMIT_EXCEEDED' },
  };
}

/** The status of errors that the body parser made: too large, not JSON. */
function clientStatus(error: unknown): number | null {
  const status = (error as { status?: unknown }).status;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : null;
}
