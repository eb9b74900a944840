import { invalid } from '../../base/errors.ts';
import { repeated } from '../../base/repeated.ts';
import { type WebhookSender, type WebhookSettings } from '../ports.ts';
import { ANY_TYPE, EVENT_TYPES, type EventType } from './event-types.ts';
import { ALL_TYPES, sampleEvents } from './samples.ts';
import { checkTemplate } from './template.ts';

const MOST_URL = 2_048;
const MOST_DESCRIPTION = 1_000;
const MOST_NAMES = 100;
const MOST_HEADERS = 20;
const MOST_VALUE = 4_096;
/** Told by the service itself, or of the connection. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'user-agent',
  'expect',
  'upgrade',
  'te',
  'trailer',
]);

/** @throws INVALID_INPUT, with the path of the setting */
export function checkSettings(
  sender: Pick<WebhookSender, 'checkUrl'>,
  settings: WebhookSettings,
  projectId: string,
): WebhookSettings {
  const { url, description, types, aliases, datasetIds, template, headers } = settings;
  if (url.length > MOST_URL)
    throw wrong('url', `a URL of ${MOST_URL} characters at most`, String(url.length), 'shorten it');
  sender.checkUrl(url);
  if (description.length > MOST_DESCRIPTION) {
    throw wrong('description', `${MOST_DESCRIPTION} characters at most`, String(description.length), 'shorten it');
  }
  checkTypes(types);
  checkNames('aliases', aliases);
  checkNames('datasetIds', datasetIds);
  checkHeaders(headers);
  const asked = types.includes(ANY_TYPE) ? ALL_TYPES : (types as EventType[]);
  if (template !== null) checkTemplate(template, sampleEvents(asked, projectId));
  return {
    ...settings,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

function checkTypes(types: readonly string[]): asserts types is (EventType | typeof ANY_TYPE)[] {
  const known = [...Object.keys(EVENT_TYPES), ANY_TYPE];
  const unknown = types.find((type) => !known.includes(type));
  if (types.length > 0 && unknown === undefined && repeated(types) === null) return;
  throw wrong(
    'types',
    'types of events, each once',
    types.length === 0 ? 'none' : (unknown ?? `${repeated(types)} twice`),
    `name some of ${known.join(', ')}`,
  );
}

function checkNames(setting: 'aliases' | 'datasetIds', names: readonly string[] | null): void {
  if (names === null || (names.length > 0 && names.length <= MOST_NAMES && names.every((name) => name.length <= 200)))
    return;
  throw wrong(setting, `1 to ${MOST_NAMES} names`, String(names.length), 'leave it out for all');
}

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const names = Object.keys(headers);
  if (names.length > MOST_HEADERS)
    throw wrong('headers', `${MOST_HEADERS} at most`, String(names.length), 'leave some out');
  const twice = repeated(names.map((name) => name.toLowerCase()));
  if (twice !== null) throw wrong('headers', 'each header once', `${twice} twice`, 'leave one out');
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name))
      throw wrong('headers', 'names of headers', JSON.stringify(name), 'correct it');
    if (OWN_HEADERS.has(name.toLowerCase()) || /^webhook-/i.test(name)) {
      throw wrong('headers', 'headers of your own', name, 'leave it out: the service sets it');
    }
    // The value is not repeated: it is a secret.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value) || value.length > MOST_VALUE) {
      throw wrong(
        'headers',
        `a value of ${MOST_VALUE} printable characters at most`,
        `another of ${name}`,
        'correct it',
      );
    }
  }
}

function wrong(setting: string, expected: string, got: string, remedy: string) {
  return invalid(`expected ${expected} in ${setting}, got ${got}: ${remedy}`, { path: [setting] });
}
