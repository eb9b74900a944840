import { sql, type Selectable } from 'kysely';
import { type RunView } from '../../control/ports.ts';
import {
  type AttemptRecord,
  type RunRecord,
  type StageRecord,
  type TaskRecord,
  USUAL_LAUNCH,
} from '../../engine/ports.ts';
import { type Attempts, type Runs, type Stages, type Tasks } from './schema.ts';

export function toRun(row: Selectable<Runs>): RunRecord {
  return {
    ...toRunView(row),
    projectId: row.project_id,
    inputs: row.inputs,
    idempotencyKey: row.idempotency_key,
  };
}

export function toRunView(row: Selectable<Runs>): RunView {
  return {
    id: row.id,
    state: row.state,
    recipe: row.recipe,
    recipeDigest: row.recipe_digest,
    datasetVersionId: row.dataset_version_id,
    priorId: row.prior_id,
    fingerprint: row.fingerprint,
    traceparent: row.traceparent,
    priority: row.priority,
    limits: { ...USUAL_LAUNCH.limits, ...row.limits },
    retriedRunId: row.retry_of,
    failure: row.failure,
    cancelRequested: row.cancel_requested,
    resourcesUnconfirmed: row.resources_unconfirmed,
    eventSequence: row.event_sequence,
    costUsd: row.cost_usd,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

export function toStage(row: Selectable<Stages>): StageRecord {
  return {
    runId: row.run_id,
    name: row.name,
    position: row.position,
    state: row.state,
    skipReason: row.skip_reason,
    artifactId: row.artifact_id,
    tasksTotal: row.tasks_total,
    tasksDone: row.tasks_done,
    tasksCached: row.tasks_cached,
    itemsTotal: row.items_total,
    itemsDone: row.items_done,
    costUsd: row.cost_usd,
    allocatedSeconds: row.allocated_seconds,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

export function toTask(row: Selectable<Tasks>): TaskRecord {
  return {
    id: row.id,
    runId: row.run_id,
    stage: row.stage,
    index: row.index,
    artifactId: row.artifact_id,
    state: row.state,
    spec: row.spec,
    epoch: row.epoch,
    cache: row.cache ?? 'MISS',
    startedAt: row.started_at,
  };
}

/** Since it runs until now, or until its lease ran out; 0 while it waits. */
export const leasedSeconds = sql<number>`greatest(0, extract(epoch from least(clock_timestamp(), lease_expires_at) - attempts.running_at)::float8)`;

export function toAttempt(row: Selectable<Attempts> & { project_id: string; leased_seconds: number }): AttemptRecord {
  return {
    id: row.id,
    runId: row.run_id,
    projectId: row.project_id,
    taskId: row.task_id,
    number: row.number,
    epoch: row.epoch,
    state: row.state,
    executor: row.executor,
    reference: row.reference,
    owner: row.owner,
    price: row.price_usd_per_hour === null ? null : { usdPerHour: row.price_usd_per_hour, list: row.price_list! },
    leasedSeconds: row.leased_seconds,
  };
}
