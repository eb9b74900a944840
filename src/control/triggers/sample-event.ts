import { invalid, notFound } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { type ProjectCatalog } from '../ports.ts';
import { type TriggerEvent, type TriggerView } from './rows.ts';

/**
 * An event as the source of a trigger would give it.
 * @param given `datasetVersionId` of DATASET_VERSION and DRIFT, `runId` of RUN; of EVENT `type`, `source`, `subject` and `data`; null: the newest
 * @throws INVALID_INPUT, NOT_FOUND
 */
export async function sampleEvent(
  rows: ProjectCatalog,
  { source, id }: TriggerView,
  given: JsonObject | null,
  key: string,
  at: Date,
): Promise<TriggerEvent> {
  const event = { key, at, facts: {}, runId: null, datasetVersionId: null };
  const text = (name: string): string | null => {
    const value = given?.[name] ?? null;
    if (value === null || typeof value === 'string') return value;
    throw invalid(`expected a text in event.${name}, got ${JSON.stringify(value)}: correct it`, {
      path: ['event', name],
    });
  };
  switch (source.kind) {
    case 'SCHEDULE':
      return { ...event, type: 'trigger.due', facts: { dueAt: at.toISOString(), missed: 0 } };
    case 'DATASET_VERSION':
    case 'DRIFT':
      return {
        ...event,
        type: 'datasetVersion.ready',
        datasetVersionId: await versionId(rows, source.dataset!, text('datasetVersionId')),
      };
    case 'RUN': {
      const runId = text('runId') ?? (await newestRun(rows, source.dataset, source.outcomes!));
      const [run] = await rows.runsById([runId]);
      if (!run) throw notFound('run', runId);
      const type = `run.${run.state.toLowerCase()}`;
      return { ...event, type, runId, datasetVersionId: run.datasetVersionId };
    }
    case 'ALIAS': {
      const alias = await rows.aliasByName(source.alias!);
      if (!alias?.current) {
        throw invalid(`expected an alias ${source.alias} that stands for something, got none: promote to it first`, {
          path: ['event'],
        });
      }
      const { number, artifactId, promotedBy: by, override, revertsTo } = alias.current;
      const [artifact] = await rows.artifactsById([artifactId]);
      const facts = { alias: alias.name, number, artifactId, by, override, previousArtifactId: null };
      const type = revertsTo === null ? 'alias.promoted' : 'alias.reverted';
      return { ...event, type, facts, runId: artifact?.runId ?? null };
    }
    case 'EVENT': {
      if (given !== null) {
        const facts = { source: text('source') ?? 'by hand', subject: text('subject'), data: given['data'] ?? null };
        return { ...event, type: text('type') ?? source.eventTypes?.[0] ?? 'by hand', facts };
      }
      const { items } = await rows.triggerEvaluations({ first: 1, after: null }, { triggerId: id });
      if (items[0]) return { ...items[0].event, key };
      throw invalid('expected an event, got none, and none has come yet: give type and data in event', {
        path: ['event'],
      });
    }
  }
}

async function versionId(rows: ProjectCatalog, name: string, asked: string | null): Promise<string> {
  if (asked !== null) {
    const [found] = await rows.datasetVersionsById([asked]);
    if (!found) throw notFound('dataset version', asked);
    return found.version.id;
  }
  const dataset = await rows.datasetByName(name);
  const [newest] = dataset ? await rows.newestVersions([dataset.id]) : [];
  if (newest) return newest.id;
  throw invalid(`expected a dataset ${name} with a version that is READY, got none: import it first`, {
    path: ['event'],
  });
}

async function newestRun(
  rows: ProjectCatalog,
  dataset: string | null,
  outcomes: NonNullable<TriggerView['source']['outcomes']>,
): Promise<string> {
  const found = dataset === null ? null : await rows.datasetByName(dataset);
  const { items } = await rows.runs(
    { first: 1, after: null },
    { states: outcomes, ...(found && { datasetId: found.id }) },
  );
  if (items[0]) return items[0].id;
  throw invalid(`expected a run that ${outcomes.join(' or ')}, got none: name one in event.runId`, {
    path: ['event', 'runId'],
  });
}
