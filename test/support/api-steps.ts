import { join } from 'node:path';
import { expect } from 'vitest';
import { type ApiClient } from '../../src/cli/client.ts';
import { ROOT } from './service-process.ts';

/** The steps that any client takes, with the operations under schema/operations. */
export const GLYPHS = {
  dataset: join(ROOT, 'priors/glyphs/dataset/train.parquet'),
  prior: join(ROOT, 'priors/glyphs'),
};

export interface RunEventRow {
  sequence: number;
  type: string;
  payload: Record<string, unknown>;
}

export interface ImportInput {
  name: string;
  path: string;
  classes?: string[];
  split?: string;
  idempotencyKey?: string;
}

export interface ImportedAnswer {
  id: string;
  state: string;
  digest: string;
  images: number;
  reused: boolean;
  error: { code: string; message: string } | null;
}

export async function importReady(client: ApiClient, input: ImportInput): Promise<ImportedAnswer> {
  const version = await importEnded(client, input);
  expect(version).toMatchObject({ state: 'READY', error: null });
  return version;
}

/** Imports until the version is READY or FAILED. */
export async function importEnded(client: ApiClient, input: ImportInput): Promise<ImportedAnswer> {
  const { importDataset } = await client.send<{ importDataset: { __typename: string; version: { id: string } } }>(
    'ImportDataset',
    { input: { idempotencyKey: crypto.randomUUID(), ...input } },
  );
  expect(importDataset).toMatchObject({ __typename: 'ImportDatasetSuccess' });
  for (;;) {
    const { datasetVersion } = await client.send<{ datasetVersion: ImportedAnswer }>('DatasetVersion', {
      id: importDataset.version.id,
    });
    if (datasetVersion.state !== 'IMPORTING') return datasetVersion;
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

export async function registerPrior(client: ApiClient, path: string): Promise<string> {
  const { registerPrior: answer } = await client.send<{ registerPrior: { prior: { id: string } } }>('RegisterPrior', {
    input: { path },
  });
  expect(answer).toMatchObject({ __typename: 'RegisterPriorSuccess' });
  return answer.prior.id;
}

export async function launch(client: ApiClient, recipe: unknown, idempotencyKey: string = crypto.randomUUID()) {
  const { launchRun } = await client.send<{ launchRun: { __typename: string; reused?: boolean; run: { id: string } } }>(
    'LaunchRun',
    { input: { recipe, idempotencyKey } },
  );
  return launchRun;
}

/** Launches a drift run; its id. */
export async function launchDrift(client: ApiClient, recipe: unknown): Promise<string> {
  const { launchDrift: answer } = await client.send<{ launchDrift: { __typename: string; run: { id: string } } }>(
    'LaunchDrift',
    { input: { recipe, idempotencyKey: crypto.randomUUID() } },
  );
  expect(answer).toMatchObject({ __typename: 'LaunchRunSuccess' });
  return answer.run.id;
}

/** Every event of the run until the last. */
export async function follow(client: ApiClient, runId: string, onEvent?: (event: RunEventRow) => void) {
  const events: RunEventRow[] = [];
  for await (const { runEvents } of client.subscribe<{ runEvents: RunEventRow }>('RunEvents', {
    runId,
    afterSequence: 0,
  })) {
    events.push(runEvents);
    onEvent?.(runEvents);
  }
  return events;
}

export interface RunAnswer {
  id: string;
  state: string;
  costUsd: number;
  traceId: string | null;
  failure: { code: string; class: string; message: string } | null;
  stages: {
    name: string;
    state: string;
    tasksTotal: number;
    tasksCached: number;
    costUsd: number;
    seconds: number | null;
  }[];
  classFigures: {
    className: string;
    n: number;
    k: number;
    w2Weighted: number;
    w2Uniform: number;
    reduction: number;
    ess: number;
    heldoutW2: number | null;
    w2Balanced: number;
    w2D4mMean: number;
    w2D4mDeviation: number;
    reductionD4m: number;
    nearestRatio: number;
    energyDecoded: number;
    energyRefit: number;
  }[];
  overall: { reduction: number } | null;
  outputs: {
    id: string;
    kind: string;
    blobs: { name: string; sha256: string; bytes: number; downloadUrl: string }[];
  }[];
}

export async function runOf(client: ApiClient, id: string): Promise<RunAnswer> {
  return (await client.send<{ run: RunAnswer }>('Run', { id })).run;
}

/** The blob of an output of the run, downloaded. */
export async function output(client: ApiClient, run: RunAnswer, name: string) {
  const blob = run.outputs.flatMap((artifact) => artifact.blobs).find((candidate) => candidate.name === name)!;
  return { blob, bytes: await client.download(blob.downloadUrl) };
}
