import { invalid, PushforwardError } from '../../base/errors.ts';
import { type JsonObject, type JsonValue, sha256 } from '../../base/json.ts';
import { checkNesting } from './nesting.ts';
import { type EventVerifier, type TriggerStore } from './rows.ts';

/** Bytes of the body. */
export const MAX_EVENT_BYTES = 256 * 1024;
const MOST_CHARACTERS = 1024;

export interface ReceivedEvent {
  id: string;
  /** It came before, and is not evaluated again. */
  duplicate: boolean;
}

/**
 * Takes a CloudEvent (1.0, structured JSON) that is signed as Standard Webhooks has it: with a secret of its source, within five minutes. Its source and id
 * tell it from others, so one that is sent again is evaluated once, for as long as evaluations are kept.
 * @throws UNAUTHENTICATED for an unknown or revoked source and for whatever is not signed, without telling which; INVALID_INPUT for what is no CloudEvent
 */
export async function receiveEvent(
  of: { triggers: TriggerStore; eventVerifier: EventVerifier },
  sourceId: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<ReceivedEvent> {
  const source = await of.triggers.eventSource(sourceId);
  if (!source || !of.eventVerifier.verify(body, headers, source.secrets)) throw forged();
  const event = parseCloudEvent(body);
  const key = `${sourceId} ${sha256(JSON.stringify([event.source, event.id]))}`;
  const isNew = await of.triggers.receive(sourceId, key, { ...event, key, eventSourceId: sourceId });
  return { id: event.id, duplicate: !isNew };
}

function forged(): PushforwardError {
  return new PushforwardError(
    'UNAUTHENTICATED',
    'expected an event of a source of this service, signed with its secret within the last five minutes (webhook-id, webhook-timestamp, webhook-signature), got another: check address, secret and clock',
  );
}

type CloudEvent = JsonObject & { id: string; source: string; type: string };

/** @throws INVALID_INPUT naming the attribute */
export function parseCloudEvent(body: string): CloudEvent {
  let event: JsonValue;
  try {
    event = JSON.parse(body) as JsonValue;
  } catch {
    throw invalid('expected a CloudEvent as JSON, got a body that is none: send it in structured mode');
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event)) {
    throw invalid('expected one CloudEvent, an object, got something else: send one event at a time');
  }
  checkNesting(event, []);
  if (event['specversion'] !== '1.0') {
    throw invalid(
      `expected specversion 1.0, got ${JSON.stringify(event['specversion'] ?? null)}: send CloudEvents 1.0`,
      {
        path: ['specversion'],
      },
    );
  }
  const text = (name: string, needed: boolean): string | null => {
    const value = event[name] ?? null;
    if (value === null && !needed) return null;
    if (typeof value === 'string' && value.length > 0 && value.length <= MOST_CHARACTERS) return value;
    throw invalid(
      `expected ${name} of the CloudEvent, 1 to ${MOST_CHARACTERS} characters, got ${value === null ? 'none' : JSON.stringify(value).slice(0, 100)}: correct it`,
      { path: [name] },
    );
  };
  const [id, source, type] = ['id', 'source', 'type'].map((name) => text(name, true)!) as [string, string, string];
  if (event['data_base64'] !== undefined) {
    throw invalid('expected data as JSON, got data_base64: send data', { path: ['data_base64'] });
  }
  return { id, source, type, subject: text('subject', false), time: text('time', false), data: event['data'] ?? null };
}
