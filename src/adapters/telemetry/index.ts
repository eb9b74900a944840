export { startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
export { startTracing, type Tracing, type TracingOptions } from './tracing.ts';
