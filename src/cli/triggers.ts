import { readFile } from 'node:fs/promises';
import { invalid, notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { table } from './table.ts';

interface Source {
  kind: string;
  [field: string]: unknown;
}

interface Trigger {
  id: string;
  name: string;
  state: string;
  pausedBecause: string | null;
  version: number;
  source: Source;
  condition: string | null;
  action: { launch: object | null; notify: { webhookId: string | null } | null; promote: { alias: string } | null };
  policy: Record<string, unknown>;
  nextDueAt: string | null;
  changedBy: string;
  changedAt: string;
}

interface Outcome {
  verdict: string;
  reason: string | null;
  detail: string | null;
  terms: { depth: number; text: string; value: unknown }[];
  event: { type: string; at: string; key: string };
  error: { code: string; message: string } | null;
  launchedRun: { id: string; state: string } | null;
  measuringRun: { id: string; state: string } | null;
  promoted: { alias: string; number: number } | null;
}

interface Evaluation extends Outcome {
  createdAt: string;
  triggerVersion: number;
  trigger: { id: string; name: string };
}

const MORE = 'There are more than 100; ask the API for the others.';

export async function listTriggers(client: ApiClient): Promise<void> {
  const { triggers } = await client.send<{ triggers: { nodes: Trigger[]; pageInfo: { hasNextPage: boolean } } }>(
    'Triggers',
    { first: 100 },
  );
  if (triggers.nodes.length === 0)
    return console.log('No triggers yet. `pushforward triggers create NAME FILE` makes one.');
  const rows = triggers.nodes.map(({ name, state, source, condition, action, nextDueAt }) => [
    ...[name, state, sourceText(source), condition ?? 'always', actionText(action), nextDueAt ?? ''],
  ]);
  console.log(table(['trigger', 'state', 'looks at', 'when', 'does', 'due next'], rows));
  if (triggers.pageInfo.hasNextPage) console.log(MORE);
}

/** What it is, as `create` takes it. */
export async function showTrigger(client: ApiClient, name: string, { json }: { json?: boolean }): Promise<void> {
  const trigger = await named(client, name);
  const { id, state, pausedBecause, version, source, condition, action, policy, nextDueAt, changedBy, changedAt } =
    trigger;
  const definition = { source: given(source), condition, action: given(action), policy: given(policy) };
  if (json) return console.log(JSON.stringify(definition, null, 2));
  console.log(`${trigger.name} (${id}) is ${state}${pausedBecause === null ? '' : `: ${pausedBecause}`}`);
  console.log(`Version ${version}, of ${changedBy} at ${changedAt}`);
  if (nextDueAt !== null) console.log(`Due next at ${nextDueAt}`);
  console.log(JSON.stringify(definition, null, 2));
}

/** @param file JSON: source, condition, action, policy */
export async function createTrigger(client: ApiClient, name: string, file: string): Promise<void> {
  const { createTrigger: answer } = await client.send<{ createTrigger: Refusal & { trigger: Trigger } }>(
    'CreateTrigger',
    {
      ...{ name, definition: await definitionIn(file) },
    },
  );
  refuse(answer);
  console.log(`${name} is ACTIVE (${answer.trigger.id}).${dueText(answer.trigger)}`);
}

export async function updateTrigger(client: ApiClient, name: string, file: string): Promise<void> {
  const { id } = await named(client, name);
  const { updateTrigger: answer } = await client.send<{ updateTrigger: Refusal & { trigger: Trigger } }>(
    'UpdateTrigger',
    {
      ...{ id, definition: await definitionIn(file) },
    },
  );
  refuse(answer);
  console.log(`${name} is version ${answer.trigger.version}.${dueText(answer.trigger)}`);
}

export async function pauseTrigger(client: ApiClient, name: string, reason?: string): Promise<void> {
  const { id } = await named(client, name);
  const { pauseTrigger: answer } = await client.send<{ pauseTrigger: Refusal }>('PauseTrigger', { id, reason });
  refuse(answer);
  console.log(`${name} is PAUSED: what happens meanwhile is SKIPPED.`);
}

export async function resumeTrigger(client: ApiClient, name: string): Promise<void> {
  const { id } = await named(client, name);
  const { resumeTrigger: answer } = await client.send<{ resumeTrigger: Refusal }>('ResumeTrigger', { id });
  refuse(answer);
  console.log(`${name} is ACTIVE.`);
}

export async function deleteTrigger(client: ApiClient, name: string): Promise<void> {
  const { id } = await named(client, name);
  const { deleteTrigger: answer } = await client.send<{ deleteTrigger: Refusal }>('DeleteTrigger', { id });
  refuse(answer);
  console.log(`${name} is deleted; what it did can still be asked of the API.`);
}

/** @param event JSON of the event's facts; absent: the newest that there is */
export async function evaluateTrigger(
  client: ApiClient,
  name: string,
  { now, event }: { now?: boolean; event?: string },
): Promise<void> {
  const { id } = await named(client, name);
  const { evaluateTrigger: answer } = await client.send<{
    evaluateTrigger: Refusal & { eventKey: string | null; outcome: Outcome | null };
  }>('EvaluateTrigger', { id, dryRun: !now, event: event === undefined ? null : parsed(event, '--event') });
  refuse(answer);
  const { outcome, eventKey } = answer;
  if (outcome === null) {
    return console.log(
      `${name} is evaluated for ${eventKey}. \`pushforward triggers history ${name}\` tells what came of it.`,
    );
  }
  const would = outcome.verdict === 'FIRED' ? 'would fire' : `would not fire: ${outcome.verdict}`;
  console.log(`${name} ${outcome.verdict === 'PENDING' ? 'does not know yet: PENDING' : would}${whyText(outcome)}`);
  console.log(`For ${outcome.event.type} of ${outcome.event.at}`);
  printTerms(outcome);
}

/** Why it fired, and why not. */
export async function triggerHistory(
  client: ApiClient,
  name: string | undefined,
  { verdict, terms }: { verdict?: string[]; terms?: boolean },
): Promise<void> {
  const triggerId = name === undefined ? undefined : (await named(client, name)).id;
  const verdicts = verdict?.map((one) => one.toUpperCase().replaceAll('-', '_'));
  const { triggerEvaluations: found } = await client.send<{
    triggerEvaluations: { nodes: Evaluation[]; pageInfo: { hasNextPage: boolean } };
  }>('TriggerEvaluations', { first: 100, triggerId, verdicts });
  if (found.nodes.length === 0) return console.log('Nothing has come of it yet.');
  if (terms) {
    for (const one of found.nodes) {
      console.log(
        `${one.createdAt}  ${one.trigger.name} v${one.triggerVersion}  ${one.event.type}  ${one.verdict}${whyText(one)}`,
      );
      printTerms(one);
    }
  } else {
    const rows = found.nodes.map((one) => [
      ...[one.createdAt, one.trigger.name, one.event.type, one.verdict, whyText(one).replace(/^[:,] /, '')],
    ]);
    console.log(table(['at', 'trigger', 'event', 'came to', ''], rows));
  }
  if (found.pageInfo.hasNextPage) console.log(MORE);
}

export async function listEventSources(client: ApiClient): Promise<void> {
  const { eventSources } = await client.send<{
    eventSources: { id: string; name: string; revokedAt: string | null; secrets: { expiresAt: string | null }[] }[];
  }>('EventSources', {});
  if (eventSources.length === 0)
    return console.log('No event sources yet. `pushforward triggers sources add NAME` makes one.');
  const rows = eventSources.map(({ id, name, revokedAt, secrets }) => [
    ...[name, `/api/v1/events/${id}`, revokedAt === null ? `${secrets.length} valid` : `revoked ${revokedAt}`],
  ]);
  console.log(table(['source', 'address', 'secrets'], rows));
}

export async function addEventSource(client: ApiClient, name: string): Promise<void> {
  const { createEventSource: answer } = await client.send<{ createEventSource: Refusal & SecretTold }>(
    'CreateEventSource',
    {
      name,
    },
  );
  refuse(answer);
  tellSecret(answer);
}

export async function rotateEventSource(client: ApiClient, id: string, overlapHours: number): Promise<void> {
  const { rotateEventSource: answer } = await client.send<{ rotateEventSource: Refusal & SecretTold }>(
    'RotateEventSource',
    {
      ...{ id, overlapHours },
    },
  );
  refuse(answer);
  tellSecret(answer);
  console.log(
    overlapHours === 0 ? 'The one before is valid no more.' : `The one before is valid for ${overlapHours} hours.`,
  );
}

export async function revokeEventSource(client: ApiClient, id: string): Promise<void> {
  const { revokeEventSource: answer } = await client.send<{ revokeEventSource: Refusal }>('RevokeEventSource', { id });
  refuse(answer);
  console.log(`${id} takes no events any more.`);
}

interface SecretTold {
  secret: string;
  eventSource: { id: string };
}

function tellSecret({ secret, eventSource }: SecretTold): void {
  console.log(`CloudEvents go to /api/v1/events/${eventSource.id}, signed with this secret, which is told this once:`);
  console.log(secret);
}

async function named(client: ApiClient, name: string): Promise<Trigger> {
  const by = name.startsWith('trigger_') ? { id: name } : { name };
  const { trigger } = await client.send<{ trigger: Trigger | null }>('Trigger', by);
  if (!trigger) throw notFound('trigger', name, '`pushforward triggers` lists them');
  return trigger;
}

async function definitionIn(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw invalid(`expected a file that can be read, got ${(error as Error).message}: name one with source and action`);
  }
  return parsed(text, file);
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`expected JSON in ${where}, got ${(error as Error).message}: correct it`);
  }
}

/** Without what was not said. */
const given = (of: object): object => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== null));

function sourceText({ kind, ...fields }: Source): string {
  const said = Object.values(given(fields)).map((value) => (Array.isArray(value) ? value.join(' or ') : String(value)));
  return [kind, ...said].join(' ');
}

function actionText({ launch, notify, promote }: Trigger['action']): string {
  const does = [promote && `promote to ${promote.alias}`, launch && 'launch', notify && 'notify'];
  return does.filter((one) => one !== null).join(', ');
}

const dueText = ({ nextDueAt }: Trigger): string => (nextDueAt === null ? '' : ` Due next at ${nextDueAt}.`);

function whyText({ reason, detail, launchedRun, measuringRun, promoted }: Outcome): string {
  const did = [
    launchedRun && `launched ${launchedRun.id} (${launchedRun.state})`,
    promoted && `promoted to ${promoted.alias}, version ${promoted.number}`,
    measuringRun && `measured by ${measuringRun.id} (${measuringRun.state})`,
  ].filter((one) => one !== null);
  const why = [reason, detail].filter((one) => one !== null).join(', ');
  const told = [...did, ...(why === '' ? [] : [why])].join('; ');
  return told === '' ? '' : `: ${told}`;
}

/** The whole condition first, its parts below it. */
function printTerms({ terms }: Outcome): void {
  const told = terms.filter(({ text, value }) => text !== JSON.stringify(value));
  for (const { depth, text, value } of told) {
    console.log(`${'  '.repeat(depth + 1)}${text}  ->  ${value === null ? 'unknown' : JSON.stringify(value)}`);
  }
}
