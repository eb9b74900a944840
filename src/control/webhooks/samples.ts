import { type JsonObject } from '../../base/json.ts';
import { type ToldEvent } from '../ports.ts';
import { envelope } from './body.ts';
import { EVENT_TYPES, type EventType, PING } from './event-types.ts';

/**
 * An event of each type with every member that it may have: what templates are checked with, what a preview is made of, and what `schema/webhooks`
 * is tested with.
 */
export function sampleEvent(type: EventType | typeof PING, projectId: string): JsonObject {
  const { subject, data, runId } = SAMPLES[type];
  const event: ToldEvent = {
    ...{ id: runId ? `${RUN_ID}/42` : 'evt_01kb0000000000000000000000', type, at: new Date('2026-12-01T10:00:00Z') },
    ...{ subject, runId: runId ? RUN_ID : null, payload: {} },
  };
  return envelope(event, projectId, { projectId, ...data }, data['run'] ? TRACEPARENT : null);
}

export const sampleEvents = (types: readonly (EventType | typeof PING)[], projectId: string) =>
  new Map(types.map((type) => [type, sampleEvent(type, projectId)]));

const RUN_ID = 'run_01kb0000000000000000000000';
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const VERSION_ID = 'version_01kb00000000000000000000';
const DATASET_ID = 'dataset_01kb00000000000000000000';

const TABLE = {
  ...{ name: 'train.parquet', sha256: DIGEST, bytes: 123_456, mediaType: 'application/vnd.apache.parquet' },
  url: 'https://pushforward.example.org/objects/train.parquet?signature=a',
};
const ARTIFACT = {
  ...{ id: DIGEST, kind: 'syntheticDataset', title: 'synthetic dataset', bytes: 130_000, state: 'KEPT' },
  files: [TABLE],
};

const RUN: JsonObject = {
  run: {
    ...{ id: RUN_ID, state: 'SUCCEEDED', recipeDigest: DIGEST },
    recipe: { datasetVersionId: VERSION_ID, priorId: 'prior_01kb0000000000000000000000', imagesPerClass: 50 },
    createdAt: '2026-12-01T09:00:00.000Z',
    startedAt: '2026-12-01T09:00:01.000Z',
    endedAt: '2026-12-01T10:00:00.000Z',
  },
  dataset: {
    ...{ id: DATASET_ID, name: 'cifar10' },
    version: { id: VERSION_ID, number: 3, digest: DIGEST, images: 50_000 },
  },
  prior: { id: 'prior_01kb0000000000000000000000', name: 'cifar10', version: '1' },
  metrics: {
    ...{ images: 500, classes: 10, w2: 11.2, heldoutW2: 11.6, w2Uniform: 12.1, w2Balanced: 12.4, w2D4m: 13.1 },
    ...{ reduction: 0.07, reductionBalanced: 0.1, reductionD4m: 0.15, ess: 38.5, distortion: 125.4 },
  },
  drift: null,
  cost: { currency: 'USD', run: 0.42, made: 0.57 },
  lineage: {
    url: 'https://pushforward.example.org/graphql',
    query:
      'query($node: ID!, $direction: LineageDirection!) { lineage(node: $node, direction: $direction) { nodes { id } } }',
    variables: { node: RUN_ID, direction: 'UPSTREAM' },
  },
  artifacts: [ARTIFACT],
  training: {
    ...{ artifactId: DIGEST, format: 'parquet', ...TABLE },
    ...{ imageColumn: 'image', labelColumn: 'label', weightsColumn: 'weight', softLabelsColumn: 'soft_label' },
  },
  urlsExpireAt: '2026-12-01T11:00:00.000Z',
};

const VERSION = { dataset: 'cifar10', datasetId: DATASET_ID, datasetVersionId: VERSION_ID, number: 3 };
const ALIAS = {
  ...{ alias: 'production', number: 4, aliasVersionId: 'alv_01kb0000000000000000000000', artifactId: DIGEST },
  ...{ previousArtifactId: DIGEST, by: 'local', gates: 2 },
};

const SAMPLES: Record<EventType | typeof PING, { subject: string; runId: boolean; data: JsonObject }> = {
  'run.succeeded': { subject: RUN_ID, runId: true, data: { ...RUN, failure: null } },
  'run.failed': {
    subject: RUN_ID,
    runId: true,
    data: {
      ...{ ...RUN, run: { ...(RUN['run'] as JsonObject), state: 'FAILED' }, artifacts: [], training: null },
      failure: {
        class: 'userError',
        code: 'EMPTY_CLASS',
        message: 'expected images of class cat, got none: import some',
      },
    },
  },
  'run.cancelled': {
    subject: RUN_ID,
    runId: true,
    data: {
      ...{ ...RUN, run: { ...(RUN['run'] as JsonObject), state: 'CANCELLED' }, artifacts: [], training: null },
      failure: null,
    },
  },
  'datasetVersion.ready': {
    ...{ subject: DATASET_ID, runId: false },
    data: { datasetVersion: { ...VERSION, reused: false, digest: DIGEST, images: 50_000, classes: 10 } },
  },
  'datasetVersion.failed': {
    ...{ subject: DATASET_ID, runId: false },
    data: {
      datasetVersion: {
        ...VERSION,
        error: { code: 'SOURCE_UNREADABLE', message: 'expected a folder of class folders, got none: name another' },
      },
    },
  },
  'alias.promoted': {
    ...{ subject: 'production', runId: false },
    data: { alias: { name: 'production', ...ALIAS, override: null, revertsTo: null }, ...RUN },
  },
  'alias.reverted': {
    ...{ subject: 'production', runId: false },
    data: { alias: { name: 'production', ...ALIAS, gates: 0, override: null, revertsTo: 2 }, ...RUN },
  },
  'trigger.fired': {
    ...{ subject: 'trigger_01kb00000000000000000000', runId: false },
    data: {
      trigger: {
        ...{ triggerId: 'trigger_01kb00000000000000000000', name: 'retrain', version: 1 },
        ...{ evaluationId: 'teval_01kb000000000000000000000', webhookId: null },
        event: { type: 'datasetVersion.ready', key: 'evt_01kb0000000000000000000000', at: '2026-12-01T12:00:00.000Z' },
        ...{ eventRunId: null, datasetVersionId: 'dsv_01kb0000000000000000000000' },
        ...{ launchedRunId: 'run_01kb0000000000000000000000', promotedVersionId: null },
      },
    },
  },
  [PING]: {
    ...{ subject: 'whk_01kb0000000000000000000000', runId: false },
    data: { ping: { webhookId: 'whk_01kb0000000000000000000000' } },
  },
};

export const ALL_TYPES = Object.keys(EVENT_TYPES) as EventType[];
