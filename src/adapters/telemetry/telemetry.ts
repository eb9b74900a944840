import { type Log } from '../../base/log.ts';

export interface TelemetryOptions {
  serviceName: string;
  version: string;
  /** Base URL of an OTLP/HTTP receiver; null: spans go nowhere. */
  otlpEndpoint: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** One-liners for a person instead of JSON lines. */
  pretty: boolean;
}

export interface Telemetry {
  log: Log;
  /** Every meter of the process as Prometheus text, for GET /metrics. */
  metricsText(): Promise<string>;
  /** Sends what is left, waiting two seconds at most. Never rejects. */
  shutdown(): Promise<void>;
}

export function startTelemetry(_options: TelemetryOptions): Telemetry {
  throw new Error('being written');
}
