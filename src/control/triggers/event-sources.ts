import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { checkName } from '../aliases.ts';
import { type Principal } from '../identity.ts';
import { type Catalog } from '../ports.ts';
import { wholeNumber } from '../whole-number.ts';
import { newSigningSecret } from '../signing-secret.ts';
import { type EventSourceView } from './rows.ts';

const MOST_SOURCES = 100;
const LONGEST_OVERLAP_HOURS = 30 * 24;

type Of = { catalog: Catalog };

/** A secret is told once, when it is made. */
export interface SecretTold {
  eventSource: EventSourceView;
  secret: string;
}

/** @throws INVALID_INPUT for a name that another has, or is none; LIMIT_EXCEEDED */
export async function createEventSource(
  { catalog }: Of,
  { projectId, actor }: Principal,
  id: string,
  name: string,
): Promise<SecretTold> {
  const rows = catalog.project(projectId);
  checkName(name, ['name']);
  if ((await rows.countEventSources()) >= MOST_SOURCES) {
    throw new PushforwardError(
      'LIMIT_EXCEEDED',
      `expected at most ${MOST_SOURCES} event sources in a project, got one more: revoke one that is not used`,
      { path: ['name'] },
    );
  }
  const secret = newSigningSecret();
  const eventSource = await rows.createEventSource(id, name, secret, actor);
  if (eventSource) return { eventSource, secret };
  throw invalid(`expected a name that no event source has, got ${JSON.stringify(name)}: choose another`, {
    path: ['name'],
  });
}

/** The secret before stays valid for `overlapHours`, so that senders can be changed one after another. @throws NOT_FOUND, INVALID_INPUT */
export async function rotateEventSource(
  { catalog }: Of,
  { projectId }: Principal,
  id: string,
  overlapHours: number,
): Promise<SecretTold> {
  const hours = wholeNumber(overlapHours, {
    ...{ name: 'overlapHours', from: 0, to: LONGEST_OVERLAP_HOURS, path: ['overlapHours'] },
    remedy: 'choose 0 where the old secret is known to others',
  });
  const secret = newSigningSecret();
  const eventSource = await catalog.project(projectId).rotateEventSource(id, secret, hours * 3_600_000);
  if (!eventSource)
    throw notFound('event source', id, 'check its id, and that it is one of this project that was not revoked');
  return { eventSource, secret };
}

/** It takes no event any more, whatever it is signed with. @throws NOT_FOUND */
export async function revokeEventSource(
  { catalog }: Of,
  { projectId }: Principal,
  id: string,
): Promise<EventSourceView> {
  const revoked = await catalog.project(projectId).revokeEventSource(id);
  if (!revoked) throw notFound('event source', id);
  return revoked;
}
