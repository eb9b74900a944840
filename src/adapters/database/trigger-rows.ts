import { type Selectable, sql, type Transaction } from 'kysely';
import {
  type EventSourceView,
  type NewEvaluation,
  type TriggerEvaluationView,
  type TriggerEvent,
  type TriggerView,
} from '../../control/ports.ts';
import { type Database, type EventSources, type TriggerEvaluations, type Triggers } from './schema.ts';

/** Rows as the views of control. What is jsonb here was written by this adapter, so its shape is taken as written. */

export const toTrigger = (row: Selectable<Triggers>): TriggerView => ({
  ...row.definition,
  id: row.id,
  name: row.name,
  state: row.state,
  pausedBecause: row.paused_because,
  version: row.version,
  changedBy: row.changed_by,
  changedAt: row.changed_at,
  createdAt: row.created_at,
  nextDueAt: row.next_due_at,
  deletedAt: row.deleted_at,
});

export const toEvaluation = (row: Selectable<TriggerEvaluations>): TriggerEvaluationView => ({
  id: row.id,
  triggerId: row.trigger_id,
  triggerVersion: row.trigger_version,
  event: { ...row.event, key: row.event_key, at: new Date(row.event.at) } as TriggerEvent,
  chain: row.chain,
  verdict: row.verdict,
  reason: row.reason,
  detail: row.detail,
  tree: row.tree,
  error: row.error,
  launchedRunId: row.launched_run_id,
  measuringRunId: row.measuring_run_id,
  promotedVersionId: row.promoted_version_id,
  createdAt: row.created_at,
  endedAt: row.ended_at,
});

export const toEventSource = (row: Selectable<EventSources>): EventSourceView => ({
  id: row.id,
  name: row.name,
  revokedAt: row.revoked_at,
  secrets: validSecrets(row).map(({ createdAt, expiresAt }) => ({
    createdAt: new Date(createdAt),
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
  })),
  createdBy: row.created_by,
  createdAt: row.created_at,
});

/** By the clock of this process, as far as rotation can tell: overlaps are hours. */
export const validSecrets = ({ secrets, revoked_at }: Pick<Selectable<EventSources>, 'secrets' | 'revoked_at'>) =>
  revoked_at !== null
    ? []
    : secrets.filter(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > Date.now());

export const NOW = sql<Date>`clock_timestamp()`;

/** What waiting for an earlier version of a trigger, or for one that is gone, comes to. */
export type PendingEnd = Pick<NewEvaluation, 'verdict' | 'reason' | 'detail'>;

export const DELETED: PendingEnd = { verdict: 'SKIPPED', reason: 'DELETED', detail: 'the trigger was deleted' };

export const changedBy = (by: string): PendingEnd => ({
  ...{ verdict: 'SKIPPED', reason: 'SUPERSEDED', detail: `the trigger was changed by ${by}` },
});

/** What waits, waits no more. Whoever calls this has locked the trigger, so that nothing that began to wait before is written behind it. */
export async function endPending(tx: Transaction<Database>, triggerId: string, end: PendingEnd): Promise<void> {
  await tx
    .updateTable('trigger_evaluations')
    .where('trigger_id', '=', triggerId)
    .where('verdict', '=', 'PENDING')
    .set({ ...end, ended_at: NOW })
    .execute();
}
