import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { type JsonObject } from '../../base/json.ts';
import { checkName } from '../aliases.ts';
import { type Principal } from '../identity.ts';
import { type ProjectCatalog } from '../ports.ts';
import { type LaunchNeeds } from '../runs.ts';
import { checkDefinition } from './definition.ts';
import { evaluateTrigger } from './evaluate.ts';
import { checkNesting } from './nesting.ts';
import {
  type EvaluationOutcome,
  type TriggerDefinition,
  type TriggerEvent,
  type TriggerStore,
  type TriggerView,
} from './rows.ts';
import { sampleEvent } from './sample-event.ts';
import { createSchedule } from './schedule.ts';

const MOST_TRIGGERS = 200;

type Of = LaunchNeeds & { triggers: TriggerStore };

/** @throws INVALID_INPUT, NOT_FOUND naming the field; LIMIT_EXCEEDED */
export async function createTrigger(
  of: Of,
  { projectId, actor }: Principal,
  { name, definition }: { name: string; definition: TriggerDefinition },
): Promise<TriggerView> {
  const rows = of.catalog.project(projectId);
  checkName(name, ['name']);
  const checked = await checkDefinition(rows, definition);
  if ((await rows.countTriggers()) >= MOST_TRIGGERS) {
    throw new PushforwardError(
      'LIMIT_EXCEEDED',
      `expected at most ${MOST_TRIGGERS} triggers in a project, got one more: delete one that is not used`,
      { path: ['name'] },
    );
  }
  const nextDueAt = await firstDue(of, checked);
  const created = await rows.createTrigger({ id: newId('trigger'), name, definition: checked, nextDueAt, by: actor });
  if (created) return created;
  throw invalid(`expected a name that no trigger has, got ${JSON.stringify(name)}: choose another`, { path: ['name'] });
}

/**
 * What is said of it from now on, as its next version. What it waited for by an earlier version is not waited for any more.
 * @throws NOT_FOUND, INVALID_INPUT; NOT_READY where someone else changes it at the same time
 */
export async function updateTrigger(
  of: Of,
  { projectId, actor }: Principal,
  { id, name, definition }: { id: string; name: string | null; definition: TriggerDefinition },
): Promise<TriggerView> {
  const rows = of.catalog.project(projectId);
  const before = await getTrigger(rows, id);
  if (name !== null) checkName(name, ['name']);
  const checked = await checkDefinition(rows, definition);
  const { cron, timeZone } = before.source;
  const same = cron === checked.source.cron && timeZone === checked.source.timeZone;
  const updated = await rows.updateTrigger({
    ...{ id, name: name ?? before.name, definition: checked, by: actor, after: before.version },
    nextDueAt: same ? before.nextDueAt : await firstDue(of, checked),
  });
  if (updated) return updated;
  throw new PushforwardError(
    'NOT_READY',
    `expected version ${before.version} of trigger ${id} to be the newest and its name to be free, got another meanwhile: look at it and try again`,
    { path: ['id'] },
  );
}

/** Events while it is paused are SKIPPED, and not made up for. @throws NOT_FOUND, INVALID_INPUT */
export async function pauseTrigger(of: Of, { projectId, actor }: Principal, id: string, reason: string | null) {
  const because = reason?.trim() || `paused by ${actor}`;
  if (because.length > 1000) {
    throw invalid(`expected a reason of 1000 characters at most, got ${because.length}: shorten it`, {
      path: ['reason'],
    });
  }
  return await changed(of.catalog.project(projectId).setTriggerState(id, 'PAUSED', because), id);
}

/** Of a schedule, what fell due meanwhile goes by its misfire policy. @throws NOT_FOUND */
export async function resumeTrigger(of: Of, { projectId }: Principal, id: string): Promise<TriggerView> {
  return await changed(of.catalog.project(projectId).setTriggerState(id, 'ACTIVE', null), id);
}

/** What it did can still be asked. @throws NOT_FOUND */
export async function deleteTrigger(of: Of, { projectId }: Principal, id: string): Promise<void> {
  if (!(await of.catalog.project(projectId).deleteTrigger(id))) throw notFound('trigger', id);
}

export type Evaluated =
  { kind: 'DRY_RUN'; event: TriggerEvent; outcome: EvaluationOutcome } | { kind: 'REQUESTED'; key: string };

/**
 * Evaluates a trigger by hand: dry, it tells what would happen; else it is evaluated like for any other event, and its evaluations tell.
 * @param given facts of the event; null: the newest that there is
 * @throws NOT_FOUND, INVALID_INPUT where there is no such event, or it nests too deeply
 */
export async function evaluateByHand(
  of: Of,
  { projectId, actor }: Principal,
  { id, dryRun, given }: { id: string; dryRun: boolean; given: JsonObject | null },
): Promise<Evaluated & { trigger: TriggerView }> {
  const rows = of.catalog.project(projectId);
  checkNesting(given, ['event']);
  const trigger = await getTrigger(rows, id);
  const event = await sampleEvent(rows, trigger, given, newId('request'), await of.triggers.now());
  if (dryRun) {
    const request = { projectId, trigger, event, chain: [], measuringRunId: null, dryRun };
    return { kind: 'DRY_RUN', trigger, event, outcome: await evaluateTrigger(of, request) };
  }
  const { key, type, facts, runId, datasetVersionId } = event;
  await rows.requestEvaluation(id, key, { key, type, facts, runId, datasetVersionId }, actor);
  return { kind: 'REQUESTED', key, trigger };
}

/** @throws NOT_FOUND */
export async function getTrigger(rows: Pick<ProjectCatalog, 'triggersById'>, id: string): Promise<TriggerView> {
  const [found] = await rows.triggersById([id]);
  if (found && found.deletedAt === null) return found;
  throw notFound('trigger', id);
}

async function firstDue({ triggers }: Of, { source }: TriggerDefinition): Promise<Date | null> {
  if (source.kind !== 'SCHEDULE') return null;
  return createSchedule(source.cron!, source.timeZone!).after(await triggers.now());
}

async function changed(change: Promise<TriggerView | null>, id: string): Promise<TriggerView> {
  const trigger = await change;
  if (!trigger) throw notFound('trigger', id);
  return trigger;
}
