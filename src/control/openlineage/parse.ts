import { invalid } from '../../base/errors.ts';
import { type UpstreamField, type UpstreamJob } from '../views.ts';
import { type DatasetName } from './names.ts';

/** Dataset versions that an event of others says were made. */
export interface ToldVersions {
  producer: string;
  job: UpstreamJob | null;
  madeAt: Date;
  versions: (DatasetName & { version: string; fields: UpstreamField[] | null })[];
}

const MOST_OUTPUTS = 1000;
const MOST_FIELDS = 10_000;
const MOST_CHARACTERS = 2000;
const EVENT_TYPES = ['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'];

type Fields = Record<string, unknown>;

/**
 * Reads an OpenLineage event. Outputs of a run are there once it is COMPLETE; a dataset event tells of one by itself; all else tells of none.
 * @throws INVALID_INPUT naming the field, what was expected and what was received
 */
export function parseEvent(given: unknown): ToldVersions {
  const event = object(given, []);
  const producer = string(event['producer'], ['producer']);
  const madeAt = time(event['eventTime'], ['eventTime']);
  if ('dataset' in event) return { producer, madeAt, job: null, versions: [told(event['dataset'], ['dataset'], null)] };

  const at = object(event['job'], ['job']);
  const job = { namespace: string(at['namespace'], ['job', 'namespace']), name: string(at['name'], ['job', 'name']) };
  if (!('run' in event)) return { producer, madeAt, job: null, versions: [] };
  const runId = uuid(object(event['run'], ['run'])['runId'], ['run', 'runId']);
  const type = event['eventType'];
  if (type !== undefined && !EVENT_TYPES.includes(type as string)) {
    throw wrong(`one of ${EVENT_TYPES.join(', ')}`, type, ['eventType']);
  }
  const versions = list(event['outputs'] ?? [], ['outputs'], MOST_OUTPUTS).map((output, index) =>
    told(output, ['outputs', String(index)], runId),
  );
  return { producer, madeAt, job: { ...job, runId }, versions: type === 'COMPLETE' ? versions : [] };
}

/** @param runId names a version that has no name of its own */
function told(given: unknown, path: string[], runId: string | null): ToldVersions['versions'][number] {
  const dataset = object(given, path);
  const facets = object(dataset['facets'] ?? {}, [...path, 'facets']);
  const versionFacet = facetOf(facets, 'version', path);
  const schema = facetOf(facets, 'schema', path);
  const version = [...path, 'facets', 'version'];
  if (!versionFacet && runId === null) throw wrong('a version facet', undefined, version);
  return {
    namespace: string(dataset['namespace'], [...path, 'namespace']),
    name: string(dataset['name'], [...path, 'name']),
    version: versionFacet ? string(versionFacet['datasetVersion'], [...version, 'datasetVersion']) : runId!,
    fields:
      schema?.['fields'] === undefined ? null : fieldsOf(schema['fields'], [...path, 'facets', 'schema', 'fields']),
  };
}

function fieldsOf(given: unknown, path: string[]): UpstreamField[] {
  return list(given, path, MOST_FIELDS).map((one, index) => {
    const at = [...path, String(index)];
    const { name, type } = object(one, at);
    return {
      name: string(name, [...at, 'name']),
      type: type === undefined || type === null ? null : string(type, [...at, 'type']),
    };
  });
}

/** Null where it is absent, or was deleted. */
function facetOf(facets: Fields, name: string, path: string[]): Fields | null {
  if (facets[name] === undefined || facets[name] === null) return null;
  const facet = object(facets[name], [...path, 'facets', name]);
  return facet['_deleted'] === true ? null : facet;
}

function object(value: unknown, path: string[]): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong('an object', value, path);
}

function list(value: unknown, path: string[], most: number): unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw wrong(`a list of at most ${most}`, Array.isArray(value) ? value.length : value, path);
}

function string(value: unknown, path: string[]): string {
  const ok = typeof value === 'string' && value !== '' && value.length <= MOST_CHARACTERS && !value.includes('\0');
  if (ok) return value;
  throw wrong(`a text of 1 to ${MOST_CHARACTERS} characters`, value, path);
}

function uuid(value: unknown, path: string[]): string {
  if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    return value.toLowerCase();
  }
  throw wrong('a UUID', value, path);
}

function time(value: unknown, path: string[]): Date {
  const ok = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/i.test(value);
  const at = new Date(ok ? value : NaN);
  if (!Number.isNaN(at.getTime())) return at;
  throw wrong('a time such as 2026-12-01T10:00:00Z', value, path);
}

function wrong(expected: string, received: unknown, path: string[]) {
  const where = path.length === 0 ? 'the body' : path.join('.');
  const got = received === undefined ? 'nothing' : (JSON.stringify(received) ?? typeof received).slice(0, 100);
  return invalid(
    `expected ${expected} at ${where} of an OpenLineage event, got ${got}: send events as https://openlineage.io/spec/2-0-2/OpenLineage.json has them`,
    { path },
  );
}
