import { metrics } from '@opentelemetry/api';
import { newId } from '../../base/ids.ts';
import { type JsonObject } from '../../base/json.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { type FeedConsumerOfAll } from '../feed.ts';
import { type LaunchNeeds } from '../runs.ts';
import { evaluateTrigger, failedOutcome } from './evaluate.ts';
import {
  type EvaluationOutcome,
  type NewEvaluation,
  type TriggerEvaluationView,
  type TriggerStore,
  type TriggerVerdict,
  type TriggerView,
} from './rows.ts';
import { looksAt, type Occurrence, occurrencesOf, TRIGGER_EVENTS } from './sources.ts';

/** Triggers that are evaluated at once; each for one event after another, so that what one uses up counts for the next. */
const LANES = 8;

type InProject = TriggerView & { projectId: string };

/** One to evaluate anew, or one that waited for a run that has ended. */
type Job = { occurrence: Occurrence } | { waiting: TriggerEvaluationView };

/**
 * Evaluates triggers for what is fed. All ways lead here, schedules and requests too, and one service at a time consumes: so caps are kept without locks, and
 * an event that comes again finds what it came to before.
 */
export function triggerConsumer(of: LaunchNeeds & { triggers: TriggerStore }): FeedConsumerOfAll {
  const evaluations = metrics.getMeter('pushforward').createCounter('pushforward.trigger.evaluations', {
    description: 'Evaluations of triggers',
    unit: '{evaluation}',
  });

  return {
    name: 'triggers',
    types: TRIGGER_EVENTS,
    async takeAll(events) {
      const triggers = await of.triggers.ofProjects([...new Set(events.map(({ projectId }) => projectId))]);
      if (triggers.length === 0) return;
      const occurrences = await occurrencesOf(of, events);
      const ended = occurrences.flatMap(({ of: what }) => (what.kind === 'RUN' ? what.run.id : []));
      const waiting = ended.length > 0 ? await of.triggers.waitingFor(ended) : [];
      const lanes = triggers.map((trigger) => ({ trigger, jobs: jobsOf(trigger, occurrences, waiting) }));
      await mapLimited(
        lanes.filter(({ jobs }) => jobs.length > 0),
        LANES,
        async ({ trigger, jobs }) => {
          const keys = jobs.flatMap((job) => ('occurrence' in job ? job.occurrence.event.key : []));
          const before = new Set(await of.triggers.evaluated(trigger.id, keys));
          for (const job of jobs) {
            if ('occurrence' in job) {
              // The same event twice in one page.
              if (before.has(job.occurrence.event.key)) continue;
              before.add(job.occurrence.event.key);
            }
            await carryOut(trigger, job);
          }
        },
      );
    },
  };

  async function carryOut({ id: triggerId, projectId, version }: InProject, job: Job): Promise<void> {
    // It may have been paused, changed or deleted since the page was read, and what comes before this job may have taken long.
    const [trigger] = await of.catalog.project(projectId).triggersById([triggerId]);
    if (!trigger || trigger.deletedAt !== null) return;
    if (trigger.version !== version && !isFor(trigger, job)) return;
    const { event } = 'occurrence' in job ? job.occurrence : job.waiting;
    const chain = 'occurrence' in job ? job.occurrence.chain : job.waiting.chain.slice(0, -1);
    const measuringRunId = 'waiting' in job ? job.waiting.measuringRunId : null;
    const outcome = await evaluateTrigger(of, { projectId, trigger, event, chain, measuringRunId, dryRun: false });
    const id = 'waiting' in job ? job.waiting.id : newId('teval');
    const evaluation = {
      ...{ ...outcome, id, projectId, triggerId: trigger.id, triggerVersion: trigger.version },
      ...{ event, chain: [...chain, trigger.id] },
    };
    evaluations.add(1, { source: trigger.source.kind, verdict: await keep(trigger, evaluation) });
  }

  /** What cannot be kept as it is, such as facts that nest too deeply, would come again for ever and hold up the triggers of all projects: it FAILED. */
  async function keep(trigger: TriggerView, evaluation: NewEvaluation): Promise<TriggerVerdict> {
    try {
      await of.triggers.record(evaluation, firedPayload(trigger, evaluation));
      return evaluation.verdict;
    } catch (error) {
      const event = { ...evaluation.event, facts: {} };
      await of.triggers.record({ ...evaluation, ...failedOutcome({ ...evaluation, tree: null }, error), event }, null);
      return 'FAILED';
    }
  }
}

/** What waits, waits for the version that was evaluated. */
const isFor = ({ id, source, version }: TriggerView, job: Job): boolean =>
  'waiting' in job ? job.waiting.triggerVersion === version : looksAt(source, id, job.occurrence);

function jobsOf(
  { id, projectId, source, version, createdAt }: InProject,
  occurrences: readonly Occurrence[],
  waiting: readonly (TriggerEvaluationView & { runId: string })[],
): Job[] {
  const seen = new Set<string>();
  const ofThis = (one: TriggerEvaluationView) => one.triggerId === id && one.triggerVersion === version;
  return occurrences
    .filter((one) => one.projectId === projectId)
    .flatMap((occurrence) => {
      const { of } = occurrence;
      const woken = waiting.filter(
        (one) => of.kind === 'RUN' && one.runId === of.run.id && ofThis(one) && !seen.has(one.id),
      );
      for (const one of woken) seen.add(one.id);
      // What waited when it was made is not for it.
      const its = occurrence.event.at >= createdAt && looksAt(source, id, occurrence);
      const own: Job[] = its ? [{ occurrence }] : [];
      return [...own, ...woken.map((one): Job => ({ waiting: one }))];
    });
}

/** What `trigger.fired` tells; null where nobody is to be told. */
function firedPayload(
  { id, name, version, action }: TriggerView,
  {
    verdict,
    event,
    launchedRunId,
    promotedVersionId,
    ...of
  }: EvaluationOutcome & Pick<TriggerEvaluationView, 'id' | 'event'>,
): JsonObject | null {
  if (verdict !== 'FIRED' || !action.notify) return null;
  return {
    ...{ triggerId: id, name, version, evaluationId: of.id, webhookId: action.notify.webhookId },
    event: { type: event.type, key: event.key, at: event.at.toISOString(), ...event.facts },
    ...{ eventRunId: event.runId, datasetVersionId: event.datasetVersionId },
    ...{ launchedRunId, promotedVersionId },
  };
}
