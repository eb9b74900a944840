import { isSpanContextValid, trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { PushforwardError } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { prettyLine } from './pretty.ts';

export interface LogOptions {
  serviceName: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  pretty: boolean;
  write?: (line: string) => void;
}

/** Fields that are never written. */
const SECRETS = ['authorization', 'cookie', 'password', 'secret', 'signingSecret', 'token'];

/**
 * One JSON object a line: `time`, `level`, `service`, `message`, the fields, and `trace_id` with `span_id` inside a span.
 * Lines are written before the call returns, so that the last words of a process are not lost.
 */
export function createLog({ serviceName, logLevel, pretty, write }: LogOptions): Log {
  const standardError = pino.destination({ dest: 2, sync: true });
  const writeLine = write ?? ((line: string) => void standardError.write(line));
  const destination = pretty ? { write: (line: string) => writeLine(prettyLine(line)) } : { write: writeLine };
  const logger = pino(
    {
      level: logLevel,
      base: { service: serviceName },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      mixin: spanFields,
      serializers: { error: errorFields },
      redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
    },
    destination,
  );
  return logOf(logger);
}

function logOf(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    with: (fields) => logOf(logger.child(fields)),
  };
}

function spanFields(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}

/** Our own errors say all in their message; of others the stack is kept. */
function errorFields(error: unknown): unknown {
  if (error instanceof PushforwardError) return error.toRecord();
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack };
  return error;
}
