import { PushforwardError, toErrorRecord, type ErrorCode } from '../../base/errors.ts';
import { type JsonObject, sha256 } from '../../base/json.ts';
import { promoteArtifact } from '../aliases.ts';
import { estimateRun } from '../estimate.ts';
import { type Principal } from '../identity.ts';
import { type ProjectCatalog, type RunView } from '../ports.ts';
import { launchRun, type LaunchNeeds } from '../runs.ts';
import { heldBack, loopOf, overspent } from './caps.ts';
import { parseCondition } from './expression.ts';
import { loadFacts, namesOf, valueOf } from './facts.ts';
import { driftFacts, driftRecipe } from './measure.ts';
import {
  type EvaluationOutcome,
  type SkipReason,
  type TriggerEvent,
  type TriggerUsage,
  type TriggerView,
  type WaitReason,
} from './rows.ts';
import { fillTemplate } from './template.ts';
import { evaluateTerms } from './terms.ts';
import { vocabularyOf } from './vocabulary.ts';
import { whyNot } from './why.ts';

export interface EvaluationRequest {
  projectId: string;
  trigger: TriggerView;
  event: TriggerEvent;
  /** Triggers that led to the event. */
  chain: readonly string[];
  /** The drift run of an evaluation that waits for it. */
  measuringRunId: string | null;
  /** Only what it would do: the drift run apart, nothing is launched, promoted or told. */
  dryRun: boolean;
}

/** What others cannot help, and may be over when it is tried again. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'DATABASE_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'CANCELLED',
  'TIMEOUT',
]);

const NOTHING: EvaluationOutcome = {
  ...{ verdict: 'NOT_MET', reason: null, detail: null, tree: null, error: null },
  ...{ launchedRunId: null, measuringRunId: null, promotedVersionId: null },
};

/**
 * Whether a trigger fires for an event, and, where it does, what it does then: a launch under a key that follows from trigger and event, so that the same
 * evaluation carried out again, after whatever died, finds the run that it launched, whatever became of the trigger and its facts meanwhile.
 * @throws where the database or the store does not answer; every other failure is an outcome
 */
export async function evaluateTrigger(of: LaunchNeeds, request: EvaluationRequest): Promise<EvaluationOutcome> {
  const found: EvaluationOutcome = { ...NOTHING, measuringRunId: request.measuringRunId };
  try {
    return await evaluated(of, request, found);
  } catch (thrown) {
    const failed = failedOutcome(found, thrown);
    const { code, message } = failed.error!;
    if (code === 'BUDGET_EXCEEDED') return skipped(found, 'BUDGET', message);
    if (code === 'GATES_FAILED') return skipped(found, 'GATES', message);
    return failed;
  }
}

/** @throws what may be over when it is tried again */
export function failedOutcome(found: EvaluationOutcome, thrown: unknown): EvaluationOutcome {
  if (thrown instanceof PushforwardError && TRANSIENT.has(thrown.code)) throw thrown;
  const error = toErrorRecord(thrown);
  return { ...found, verdict: 'FAILED', reason: null, error, detail: error.message };
}

/** Fills `found` as it goes, so that a failure tells what was known by then. */
async function evaluated(
  of: LaunchNeeds,
  request: EvaluationRequest,
  found: EvaluationOutcome,
): Promise<EvaluationOutcome> {
  const { projectId, trigger, event, chain, dryRun } = request;
  const { source, policy, action } = trigger;
  const rows = of.catalog.project(projectId);
  const key = keyOf(trigger, event);
  const launched = dryRun ? null : await rows.runByKey(key);
  if (launched) return await firedBefore(rows, { trigger, event, launched }, found);
  if (trigger.state === 'PAUSED') return skipped(found, 'PAUSED', trigger.pausedBecause);
  const loop = loopOf(trigger.id, chain, await namesIn(rows, [...chain, trigger.id]));
  if (loop) return skipped(found, loop.reason, loop.detail);

  const principal = { projectId, actor: `trigger ${trigger.name}` };
  const usage = await rows.triggerUsage(trigger.id, policy.rateSeconds ?? 1);
  const expression = trigger.condition === null ? null : parseCondition(trigger.condition, vocabularyOf(source));
  const names = namesOf(expression, trigger);
  const facts = await loadFacts(of.catalog, { projectId, trigger, event, usage }, names);
  if (source.kind === 'DRIFT') {
    const measured = await measure(of, principal, { trigger, event, usage }, found);
    if (measured !== 'DONE') return measured;
    facts['drift'] = await driftFacts(rows, found.measuringRunId!);
  }
  if (names.has('cost.estimateUsd') && action.launch) {
    const costUsd = await estimateUsd(of, principal, action.launch.recipe, facts);
    facts['cost'] = { ...(facts['cost'] as JsonObject), estimateUsd: costUsd };
  }
  if (expression) {
    found.tree = evaluateTerms(expression, valueOf(facts));
    if (found.tree.value !== true) return { ...found, detail: whyNot(found.tree) };
  }
  const held = heldBack(policy, usage, action.launch !== null);
  if (held?.reason === 'QUEUED') return { ...found, verdict: 'PENDING', reason: 'QUEUED', detail: held.detail };
  if (held) return skipped(found, held.reason, held.detail);
  if (dryRun) return { ...found, verdict: 'FIRED' };

  if (action.promote) found.promotedVersionId = await promoted(of, principal, rows, action.promote.alias, event);
  if (action.launch) found.launchedRunId = (await launchedRun(of, principal, trigger, facts, key)).id;
  return { ...found, verdict: 'FIRED' };
}

/**
 * Of an evaluation that died after it had launched: it has fired, whatever state, condition and caps say by now. What it promoted came before the launch, and is
 * not promoted again: someone may have gone back since.
 */
async function firedBefore(
  rows: ProjectCatalog,
  { trigger, event, launched }: { trigger: TriggerView; event: TriggerEvent; launched: RunView },
  found: EvaluationOutcome,
): Promise<EvaluationOutcome> {
  const { promote } = trigger.action;
  const [made] =
    promote && event.runId !== null ? await rows.artifactsByRun([event.runId], 'OUTPUT', ['syntheticDataset']) : [];
  const current = promote && made ? (await rows.aliasByName(promote.alias))?.current : null;
  return {
    ...{ ...found, verdict: 'FIRED', launchedRunId: launched.id },
    promotedVersionId: current && current.artifactId === made!.artifact.id ? current.id : null,
    detail: `run ${launched.id} was launched for this event before`,
  };
}

/** Sees to the drift run of a new version. DONE: it has its figures. */
async function measure(
  of: LaunchNeeds,
  principal: Principal,
  { trigger, event, usage }: { trigger: TriggerView; event: TriggerEvent; usage: TriggerUsage },
  found: EvaluationOutcome,
): Promise<EvaluationOutcome | 'DONE'> {
  const rows = of.catalog.project(principal.projectId);
  let run: RunView | undefined;
  if (found.measuringRunId !== null) [run] = await rows.runsById([found.measuringRunId]);
  else {
    // One dry run, or many, and the event itself share a measurement.
    const idempotencyKey = `trigger/${trigger.id}/${trigger.version}/measure/${event.datasetVersionId}`;
    const spent = (await rows.runByKey(idempotencyKey)) ? null : overspent(trigger.policy, usage);
    if (spent) return skipped(found, spent.reason, spent.detail);
    const recipe = driftRecipe(trigger.source, event.datasetVersionId!);
    ({ run } = await launchRun(of, principal, { recipe, idempotencyKey }));
    found.measuringRunId = run.id;
  }
  if (run!.state === 'SUCCEEDED') return 'DONE';
  if (run!.state === 'FAILED' || run!.state === 'CANCELLED') {
    throw new PushforwardError(
      'NOT_READY',
      `expected drift run ${run!.id} to succeed, got ${run!.state}: see why, and launch or retry it by hand`,
    );
  }
  return { ...found, verdict: 'PENDING', reason: 'MEASURING', detail: `run ${run!.id} measures` };
}

/** One launch for each trigger and event, also where the trigger was changed between the launch and its record. */
const keyOf = ({ id }: TriggerView, { key }: TriggerEvent): string => `trigger/${id}/${sha256(key).slice(0, 32)}`;

async function launchedRun(
  of: LaunchNeeds,
  principal: Principal,
  { action }: TriggerView,
  facts: JsonObject,
  idempotencyKey: string,
): Promise<RunView> {
  const { recipe, priority, costUsd } = action.launch!;
  const filled = fillTemplate(recipe, facts, ['recipe']);
  const { run } = await launchRun(of, principal, { recipe: filled, priority, limits: { costUsd }, idempotencyKey });
  return run;
}

async function promoted(
  of: LaunchNeeds,
  principal: Principal,
  rows: ProjectCatalog,
  alias: string,
  { runId }: TriggerEvent,
): Promise<string> {
  const [made] = await rows.artifactsByRun([runId!], 'OUTPUT', ['syntheticDataset']);
  if (!made) {
    throw new PushforwardError('NOT_READY', `expected a synthetic dataset of run ${runId}, got none: it made none`);
  }
  const { version } = await promoteArtifact(of, principal, { alias, artifactId: made.artifact.id, override: null });
  return version.id;
}

/** Null where nothing is known of such runs, or what would be launched is refused: the launch will tell. */
async function estimateUsd(
  of: LaunchNeeds,
  principal: Principal,
  recipe: JsonObject,
  facts: JsonObject,
): Promise<number | null> {
  try {
    const estimate = await estimateRun(of, principal, fillTemplate(recipe, facts, ['recipe']));
    return estimate.costUsd?.expected ?? null;
  } catch (error) {
    if (error instanceof PushforwardError && !TRANSIENT.has(error.code)) return null;
    throw error;
  }
}

async function namesIn(rows: ProjectCatalog, ids: readonly string[]): Promise<(id: string) => string> {
  const found = ids.length > 1 ? await rows.triggersById(ids) : [];
  const names = new Map(found.map(({ id, name }) => [id, name]));
  return (id) => names.get(id) ?? id;
}

function skipped(found: EvaluationOutcome, reason: SkipReason | WaitReason, detail: string | null): EvaluationOutcome {
  return { ...found, verdict: 'SKIPPED', reason, detail };
}
