import { type JsonObject } from '../../base/json.ts';
import { type FactType, type Vocabulary } from './expression.ts';
import { type TriggerSource, type TriggerSourceKind } from './rows.ts';

/** What conditions and templates may name, by group; units are in the names. */
const GROUPS = {
  dataset: {
    'dataset.id': 'text',
    'dataset.name': 'text',
    /** The version that it is about: the new one, the one that the run distilled, or the newest. */
    'dataset.versionId': 'text',
    'dataset.number': 'number',
    'dataset.images': 'number',
    'dataset.classes': 'number',
    /** Beside the version before: how many images its classes have more, new classes with all of theirs. Of a first version all. */
    'dataset.newImages': 'number',
    'dataset.newClasses': 'number',
    'dataset.vanishedClasses': 'number',
  },
  run: {
    'run.id': 'text',
    'run.state': 'text',
    'run.failure': 'text',
    'run.priorId': 'text',
    'run.syntheticDatasetId': 'text',
    'run.seconds': 'number',
    'run.costUsd': 'number',
    'run.costToMakeUsd': 'number',
    'run.images': 'number',
    'run.w2': 'number',
    'run.heldoutW2': 'number',
    'run.w2Decoded': 'number',
    'run.reduction': 'number',
    'run.reductionBalanced': 'number',
    'run.reductionD4m': 'number',
    'run.ess': 'number',
    'run.nearestRatio': 'number',
  },
  drift: {
    'drift.alarm': 'truth',
    'drift.minPValue': 'number',
    'drift.maxDistanceRatio': 'number',
    'drift.minDistanceRatio': 'number',
    'drift.maxMassChange': 'number',
    'drift.classesTested': 'number',
    'drift.classesDrifted': 'number',
    'drift.newClasses': 'number',
    'drift.vanishedClasses': 'number',
    'drift.runId': 'text',
  },
  age: {
    /** Since the newest run that succeeded was over: of the dataset where there is one, else of the project. */
    'age.lastRunHours': 'number',
    'age.lastFiredHours': 'number',
    /** Since an alias came to stand for what it stands for. */
    'age.promotedHours[]': 'number',
  },
  cost: {
    'cost.spentThisMonthUsd': 'number',
    'cost.triggerSpentThisMonthUsd': 'number',
    /** Of the project; unknown where it has none. */
    'cost.budgetUsd': 'number',
    /** Of the run that the action would launch; unknown until there were others like it. */
    'cost.estimateUsd': 'number',
  },
} as const satisfies Record<string, Record<string, FactType>>;

export type FactGroup = keyof typeof GROUPS | 'event';

const EVENTS: Record<TriggerSourceKind, Record<string, FactType>> = {
  SCHEDULE: { 'event.dueAt': 'text', 'event.missed': 'number' },
  DATASET_VERSION: {},
  DRIFT: {},
  RUN: {},
  EVENT: { 'event.source': 'text', 'event.subject': 'text', 'event.data': 'any' },
  ALIAS: {
    ...{ 'event.alias': 'text', 'event.number': 'number', 'event.artifactId': 'text' },
    ...{ 'event.previousArtifactId': 'text', 'event.by': 'text', 'event.override': 'text' },
  },
};

const OF_KIND: Record<TriggerSourceKind, readonly (keyof typeof GROUPS)[]> = {
  SCHEDULE: [],
  DATASET_VERSION: ['dataset'],
  DRIFT: ['dataset', 'drift'],
  RUN: ['dataset', 'run'],
  EVENT: [],
  ALIAS: ['dataset', 'run'],
};

export function vocabularyOf({ kind, dataset }: Pick<TriggerSource, 'kind' | 'dataset'>): Vocabulary {
  const groups = new Set<keyof typeof GROUPS>([...OF_KIND[kind], 'age', 'cost']);
  if (dataset !== null) groups.add('dataset');
  const all = [...groups].flatMap((group) => Object.entries(GROUPS[group]) as [string, FactType][]);
  return new Map([['event.type', 'text'], ['event.id', 'text'], ...Object.entries(EVENTS[kind]), ...all]);
}

/** Facts of the types that a vocabulary says, to try a template with; of what is of any type there is none. */
export function sampleFacts(vocabulary: Vocabulary): JsonObject {
  const facts: JsonObject = {};
  for (const [path, type] of vocabulary) {
    if (type === 'any' || path.endsWith('[]')) continue;
    const [group, name] = path.split('.') as [string, string];
    const values = { number: 1, text: path, truth: true };
    facts[group] = { ...(facts[group] as JsonObject | undefined), [name]: values[type] };
  }
  return facts;
}
