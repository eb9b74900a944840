import { type ErrorCode, type ErrorRecord } from '../base/errors.ts';
import { digestOf, type JsonObject } from '../base/json.ts';

/* The things that work is described in, and what becomes of it. */

/** One idempotent piece of a stage. */
export interface TaskSpec {
  /** Digest of stage, stage version, options and inputs: the id of the artifact that the task publishes. */
  artifactId: string;
  stage: string;
  stageVersion: number;
  /** Position within the stage, from 0. */
  index: number;
  /** What a person calls it: `airplane`, `airplane 2/5`. */
  title: string;
  /** Low-cardinality facts for metrics and spans, for example `{ class: 'airplane' }`. */
  labels: Record<string, string>;
  /** How many items (images, points) it will handle; progress is counted in them. */
  items: number;
  /** What identifies the work: hashed into `artifactId`. */
  options: JsonObject;
  /** Where to find what the options name, and limits on the way: never part of the identity. */
  locators: JsonObject;
  /** Artifact ids it reads: the edges of the lineage. */
  inputs: string[];
}

/** Resources an attempt used. */
export interface Usage {
  /** Wall-clock seconds in which the attempt held its resources. */
  allocatedSeconds: number;
  peakMemoryBytes: number;
  bytesRead: number;
  bytesWritten: number;
}

/** What a price may depend on. */
export interface PricedWork {
  stage: string;
  execution: JsonObject;
}

/** What an attempt costs while it holds its resources. */
export interface Price {
  usdPerHour: number;
  /** Version of the price list: a digest of all its prices, so that none changes under a name. */
  list: string;
}

/** A price of a list: US dollars per hour by name. */
export function priceOn(list: Readonly<Record<string, number>>, name: string): Price {
  return { usdPerHour: list[name]!, list: digestOf({ currency: 'USD', perHour: list }).slice(0, 12) };
}

/** What a task returns. */
export interface TaskResult {
  manifest: ArtifactManifest;
  metrics: Record<string, number>;
  usage: Usage;
}

/** What is told of a whole run beside its cost. */
export interface RunFigures {
  /** Name of the dataset that it is of. */
  dataset: string;
  /** By name, as tasks name theirs. */
  figures: Record<string, number>;
}

/** What a worker did within an attempt, for its trace: a batch through a model, or a call of the store. */
export interface SpanRecord {
  name: string;
  /** Milliseconds since 1970, with fractions. */
  startMs: number;
  endMs: number;
  attributes: Record<string, string | number>;
  /** Code of the error that it ended with; null: none. */
  error: string | null;
}

export interface BlobReference {
  sha256: string;
  bytes: number;
  mediaType: string;
}

/** `projects/P/artifacts/<id>.json` */
export interface ArtifactManifest {
  formatVersion: 1;
  id: string;
  stage: string;
  stageVersion: number;
  /**
   * `latents`, `distortionCurve`, `codebook`, `images`, `softLabels`, `comparison`, `syntheticDataset`, `report`, `driftSample`, `driftTest`,
   * `driftReport`, `stage`, `datasetVersion`, `prior`.
   */
  kind: string;
  options: JsonObject;
  inputs: string[];
  blobs: Record<string, BlobReference>;
  /** Small facts that later stages plan with. */
  content: JsonObject;
  metrics: Record<string, number>;
  /** Where the bytes came from: provider, runtime version, device, threads. */
  produced: JsonObject;
}

/**
 * A published task or stage as later planning sees it. `usage` and `costUsd` are those of the attempt that made it, which had just ended when
 * it was recorded.
 */
export interface Published {
  task: TaskSpec;
  manifest: ArtifactManifest;
  usage: Usage;
  costUsd: number;
  recordedAt: Date;
}

export type FailureClass =
  'userError' | 'outOfMemory' | 'preempted' | 'imagePull' | 'unschedulable' | 'timeout' | 'lost' | 'internal';

/** Codes that say the input is at fault: the same order fails the same way again. */
const USER_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'INVALID_INPUT',
  'EMPTY_CLASS',
  'CORRUPT_IMAGE',
  'IMAGE_TOO_LARGE',
  'UNSAFE_PATH',
  'SOURCE_CHANGED',
  'SOURCE_UNREADABLE',
  'PRIOR_INVALID',
  'PROVIDER_UNAVAILABLE',
  'NON_FINITE',
  'LIMIT_EXCEEDED',
  'BUDGET_EXCEEDED',
]);

export function failureClassOf(code: ErrorCode): FailureClass {
  if (USER_ERRORS.has(code)) return 'userError';
  if (code === 'OUT_OF_MEMORY') return 'outOfMemory';
  if (code === 'TIMEOUT') return 'timeout';
  if (code === 'WORKER_LOST') return 'lost';
  return 'internal';
}

export interface Failure {
  class: FailureClass;
  error: ErrorRecord;
  exitCode: number | null;
  signal: string | null;
  /** The last lines the worker logged, oldest first. */
  lastLogLines: string[];
}

/** Whether the last lines of a worker say that its heap was full: V8 then ends the process by a signal like any other. */
export function logsFullHeap(lines: readonly string[]): boolean {
  return lines.some((line) => line.includes('heap out of memory'));
}
