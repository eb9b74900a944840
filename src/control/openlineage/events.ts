import { type JsonObject } from '../../base/json.ts';
import { isDrift } from '../../pipeline/drift/recipe.ts';
import { CURRENCY } from '../costs.ts';
import { type FedRunEvent } from '../ports.ts';
import { inputsOf, type Naming, outputsOf } from './datasets.ts';
import { EVENT_SCHEMA, parametersOf } from './facets.ts';
import { type RunFacts, type RunResults } from './facts.ts';
import { runUuid } from './names.ts';

export interface Producer extends Naming {
  /** Names this release. */
  producer: string;
  version: string;
}

type Told = 'START' | 'RUNNING' | 'COMPLETE' | 'FAIL' | 'ABORT';

/**
 * What an event of ours is in OpenLineage; null: nothing. A run is one there, stages are states on its way and not runs of their own: they
 * read and write nothing that anyone else has. It starts when it is carried out, or, if it never was, when it is stopped, so that each
 * has one START and one end.
 */
export function toldAs(event: FedRunEvent, run: { startedAt: Date | null }): Told | null {
  switch (event.type) {
    case 'run.started':
      return 'START';
    case 'run.stopping':
      return run.startedAt === null ? 'START' : null;
    case 'stage.started':
    case 'stage.succeeded':
      return 'RUNNING';
    case 'run.succeeded':
      return 'COMPLETE';
    case 'run.failed':
      return 'FAIL';
    case 'run.cancelled':
      return 'ABORT';
    default:
      return null;
  }
}

/** What `toldAs` may tell at all, whatever the run. */
export const TOLD_TYPES: ReadonlySet<string> = new Set([
  'run.started',
  'run.stopping',
  'stage.started',
  'stage.succeeded',
  'run.succeeded',
  'run.failed',
  'run.cancelled',
]);

export const isEnd = (told: Told): boolean => told === 'COMPLETE' || told === 'FAIL' || told === 'ABORT';

/** @param results of a run that ended */
export function openLineageEvent(
  of: { event: FedRunEvent; told: Told; facts: RunFacts; results: RunResults | null },
  producer: Producer,
): JsonObject {
  const { event, told, facts, results } = of;
  const { facet, namespace } = producer;
  return {
    eventType: told,
    eventTime: event.at.toISOString(),
    producer: producer.producer,
    schemaURL: EVENT_SCHEMA,
    run: { runId: runUuid(facts.run), facets: { ...aboutRun(facts, producer), ...aboutEvent(of, producer) } },
    job: {
      namespace,
      name: `${facts.projectId}.${isDrift(facts.run.recipe) ? 'drift' : 'distill'}.${facts.dataset}`,
      facets: {
        jobType: facet('JobTypeJobFacet', {
          ...{ processingType: 'BATCH', integration: 'PUSHFORWARD', jobType: 'JOB' },
          emissionPattern: { eventTrigger: 'EVENT_BASED', eventContentMode: 'ACCUMULATIVE' },
        }),
      },
    },
    inputs: inputsOf(facts, producer),
    outputs: told === 'COMPLETE' && results ? outputsOf(facts, results, producer) : [],
  };
}

/** The same in every event of a run, so that each can be read without the others. */
function aboutRun({ run, projectId }: RunFacts, { facet, version }: Producer): JsonObject {
  return {
    // when it was asked for; it may have waited
    nominalTime: facet('NominalTimeRunFacet', { nominalStartTime: run.createdAt.toISOString() }),
    processing_engine: facet('ProcessingEngineRunFacet', { name: 'Pushforward', version }),
    executionParameters: facet('ExecutionParametersRunFacet', { parameters: parametersOf(run.recipe) }),
    pushforward_run: facet('PushforwardRunFacet', {
      ...{ runId: run.id, projectId, recipeDigest: run.recipeDigest },
      ...(run.retriedRunId !== null && { retriedRunId: run.retriedRunId }),
    }),
  };
}

function aboutEvent(
  { event, told, facts, results }: Parameters<typeof openLineageEvent>[0],
  { facet }: Producer,
): JsonObject {
  if (told === 'RUNNING') return { pushforward_progress: facet('PushforwardProgressRunFacet', progressOf(event)) };
  if (!results) return {};
  const { failure, costUsd } = facts.run;
  const stages = results.stages.filter(({ startedAt }) => startedAt !== null);
  return {
    pushforward_cost: facet('PushforwardCostRunFacet', {
      ...{ currency: CURRENCY, cost: costUsd },
      stages: stages.map(({ name, costUsd: cost, allocatedSeconds }) => ({ name, cost, allocatedSeconds })),
    }),
    ...(told === 'FAIL' &&
      failure && {
        errorMessage: facet('ErrorMessageRunFacet', {
          message: failure.error.message,
          programmingLanguage: 'TypeScript',
        }),
        pushforward_failure: facet('PushforwardFailureRunFacet', {
          ...{ class: failure.class, code: failure.error.code },
          ...stageOf(results),
        }),
      }),
  };
}

function progressOf({ type, payload }: FedRunEvent): JsonObject {
  const { stage, tasksTotal, tasksCached } = payload;
  const state = type === 'stage.started' ? 'STARTED' : 'SUCCEEDED';
  return { ...{ stage: stage!, state, tasksTotal: tasksTotal!, tasksCached: tasksCached! } };
}

function stageOf({ stages }: RunResults): JsonObject {
  const failed = stages.find(({ state }) => state === 'FAILED');
  return failed ? { stage: failed.name } : {};
}
