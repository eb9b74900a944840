import { PushforwardError } from '../../base/errors.ts';
import { digestOf } from '../../base/json.ts';
import { type Principal } from '../identity.ts';
import { type Catalog } from '../ports.ts';
import { placeOf } from './names.ts';
import { parseEvent } from './parse.ts';

export interface ReceivedLineage {
  /** Of all versions that the event says were made. */
  versions: { id: string; namespace: string; name: string; version: string }[];
  /** Ids of those that were not known. */
  created: string[];
}

/**
 * The same event, or another that tells of the same version, adds nothing.
 * @throws INVALID_INPUT, FORBIDDEN; nothing is kept then
 */
export async function receiveLineage(
  { catalog }: { catalog: Catalog },
  { projectId }: Principal,
  project: string | null,
  event: unknown,
): Promise<ReceivedLineage> {
  if (project !== null && project !== projectId) {
    throw new PushforwardError(
      'FORBIDDEN',
      `expected the project of the caller, got ${JSON.stringify(project.slice(0, 200))}: leave project out, or call as a member of that one`,
      { path: ['project'] },
    );
  }
  const { producer, job, madeAt, versions } = parseEvent(event);
  const found = versions.map(({ namespace, name, version, fields }) => ({
    id: `ups_${digestOf({ projectId, namespace, name, version }).slice(0, 40)}`,
    ...{ namespace, name, version, fields, producer, job, madeAt, place: placeOf({ namespace, name }) },
  }));
  const distinct = [...new Map(found.map((one) => [one.id, one])).values()];
  const created = distinct.length > 0 ? await catalog.project(projectId).saveUpstreamVersions(distinct) : [];
  return {
    versions: distinct.map(({ id, namespace, name, version }) => ({ id, namespace, name, version })),
    created,
  };
}
