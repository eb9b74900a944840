import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { parseAnyRecipe } from '../../pipeline/drift/recipe.ts';
import { checkName } from '../aliases.ts';
import { inRecipe } from '../launch-checks.ts';
import { checkLaunchOptions } from '../launch-options.ts';
import { type ProjectCatalog } from '../ports.ts';
import { checkUsd } from '../usd.ts';
import { wholeNumber } from '../whole-number.ts';
import { parseCondition } from './expression.ts';
import {
  type LaunchAction,
  type TriggerAction,
  type TriggerDefinition,
  type TriggerPolicy,
  type TriggerSource,
  type TriggerSourceKind,
} from './rows.ts';
import { createSchedule } from './schedule.ts';
import { checkTemplate, fillTemplate, namesIn } from './template.ts';
import { sampleFacts, vocabularyOf } from './vocabulary.ts';

type Field = Exclude<keyof TriggerSource, 'kind'>;

/** What each kind has to be told, and may be. */
const FIELDS: Record<TriggerSourceKind, { needs: readonly Field[]; takes: readonly Field[] }> = {
  SCHEDULE: { needs: ['cron', 'timeZone'], takes: ['dataset'] },
  DATASET_VERSION: { needs: ['dataset'], takes: [] },
  DRIFT: { needs: ['dataset', 'against'], takes: ['samplesPerClass'] },
  RUN: { needs: ['outcomes'], takes: ['dataset', 'priorId', 'launchedBy'] },
  EVENT: { needs: ['eventSourceId'], takes: ['eventTypes', 'dataset'] },
  ALIAS: { needs: ['alias', 'changes'], takes: [] },
};

const MOST_NAMED = 50;
const LONGEST_SECONDS = 366 * 24 * 3600;
const MOST = 1_000_000;

type Rows = Pick<ProjectCatalog, 'priorsById' | 'triggersById' | 'eventSourcesById' | 'webhooksById'>;

/**
 * What can be known to fail before the trigger is kept, is found here.
 * @throws INVALID_INPUT, NOT_FOUND naming the field
 */
export async function checkDefinition(rows: Rows, definition: TriggerDefinition): Promise<TriggerDefinition> {
  const source = checkSource(definition.source);
  const vocabulary = vocabularyOf(source);
  const condition = definition.condition?.trim() ?? null;
  if (condition !== null) parseCondition(condition, vocabulary);
  const action = checkAction(definition.action, source);
  const policy = checkPolicy(definition.policy);
  await checkNamed(rows, source, action);
  return { source, condition, action, policy };
}

function checkSource(source: TriggerSource): TriggerSource {
  const { kind } = source;
  const { needs, takes } = FIELDS[kind];
  const given = (Object.keys(source) as (keyof TriggerSource)[]).filter(
    (name) => name !== 'kind' && source[name] !== null,
  );
  const missing = needs.find((name) => source[name] === null);
  if (missing) {
    throw invalid(`expected ${missing} in a source of kind ${kind}, got none: it needs ${needs.join(', ')}`, {
      path: ['source', missing],
    });
  }
  const other = given.find((name) => ![...needs, ...takes].includes(name as Field));
  if (other) {
    throw invalid(
      `expected ${[...needs, ...takes].join(', ')} in a source of kind ${kind}, got ${other}: leave it out`,
      { path: ['source', other] },
    );
  }
  for (const name of ['outcomes', 'eventTypes', 'changes'] as const) {
    const { length } = source[name] ?? [1];
    if (length >= 1 && length <= MOST_NAMED) continue;
    throw invalid(`expected 1 to ${MOST_NAMED} in source.${name}, got ${length}: name some, or leave it out`, {
      path: ['source', name],
    });
  }
  if (kind === 'SCHEDULE') createSchedule(source.cron!, source.timeZone!);
  if (source.alias !== null) checkName(source.alias, ['source', 'alias']);
  if (source.samplesPerClass !== null) {
    whole(source.samplesPerClass, ['source', 'samplesPerClass'], MOST);
  }
  return source;
}

function checkAction(action: TriggerAction, { kind, dataset }: TriggerSource): TriggerAction {
  const { launch, notify, promote } = action;
  if (!launch && !notify && !promote) {
    throw invalid('expected launch, notify or promote in action, got none: say what it does', { path: ['action'] });
  }
  if (promote) {
    checkName(promote.alias, ['action', 'promote', 'alias']);
    if (kind !== 'RUN') {
      throw invalid(`expected a source of kind RUN for promote, got ${kind}: it promotes what that run made`, {
        path: ['action', 'promote'],
      });
    }
  }
  if (launch) checkLaunch(launch, { kind, dataset });
  return action;
}

function checkLaunch(
  { recipe, priority, costUsd }: LaunchAction,
  source: Pick<TriggerSource, 'kind' | 'dataset'>,
): void {
  const path = ['action', 'launch'];
  checkLaunchOptions({ priority });
  if (costUsd !== null) checkUsd(costUsd, [...path, 'costUsd']);
  const vocabulary = vocabularyOf(source);
  checkTemplate(recipe, vocabulary, [...path, 'recipe']);
  // What others send is not known yet, and may fill any place.
  if (namesIn(recipe).some((name) => name.startsWith('event.data'))) return;
  inRecipe(() => parseAnyRecipe(fillTemplate(recipe, sampleFacts(vocabulary), path)), path);
}

function checkPolicy(policy: TriggerPolicy): TriggerPolicy {
  const { cooldownSeconds, rateMax, rateSeconds, maxInFlight, monthlyUsd } = policy;
  if ((rateMax === null) !== (rateSeconds === null)) {
    throw invalid('expected rateMax and rateSeconds together in policy, got one of them: give both or neither', {
      path: ['policy', 'rateMax'],
    });
  }
  if (cooldownSeconds !== null) whole(cooldownSeconds, ['policy', 'cooldownSeconds'], LONGEST_SECONDS);
  if (rateMax !== null) whole(rateMax, ['policy', 'rateMax'], MOST);
  if (rateSeconds !== null) whole(rateSeconds, ['policy', 'rateSeconds'], LONGEST_SECONDS);
  if (maxInFlight !== null) whole(maxInFlight, ['policy', 'maxInFlight'], MOST);
  if (monthlyUsd !== null) checkUsd(monthlyUsd, ['policy', 'monthlyUsd']);
  return policy;
}

const whole = (value: number, path: string[], to: number) =>
  wholeNumber(value, { name: path.join('.'), from: 1, to, path, remedy: 'change it, or leave it out for none' });

/** Datasets and aliases may come later; what has an id is there or never will be. */
async function checkNamed(rows: Rows, source: TriggerSource, { launch, notify }: TriggerAction): Promise<void> {
  const there = async (what: string, id: unknown, path: string[], load: (ids: string[]) => Promise<unknown[]>) => {
    if (typeof id !== 'string' || id.includes('{{')) return;
    if ((await load([id])).length > 0) return;
    const error = notFound(what, id);
    throw new PushforwardError(error.code, error.message, { ...error.details, path });
  };
  await Promise.all([
    there('prior', source.priorId, ['source', 'priorId'], (ids) => rows.priorsById(ids)),
    there('trigger', source.launchedBy, ['source', 'launchedBy'], (ids) => rows.triggersById(ids)),
    there('event source', source.eventSourceId, ['source', 'eventSourceId'], (ids) => rows.eventSourcesById(ids)),
    there('prior', launch?.recipe['priorId'], ['action', 'launch', 'recipe', 'priorId'], (ids) => rows.priorsById(ids)),
    there('webhook', notify?.webhookId, ['action', 'notify', 'webhookId'], (ids) => rows.webhooksById(ids)),
  ]);
}
