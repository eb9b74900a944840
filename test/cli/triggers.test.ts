import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type ApiClient } from '../../src/cli/client.ts';
import {
  addEventSource,
  createTrigger,
  evaluateTrigger,
  listEventSources,
  listTriggers,
  pauseTrigger,
  showTrigger,
  triggerHistory,
} from '../../src/cli/triggers.ts';
import { answering, printed } from './support.ts';

const out = printed();
const pageInfo = { hasNextPage: false };
const TRIGGER = {
  ...{ id: 'trigger_1', name: 'grown', state: 'ACTIVE', pausedBecause: null, version: 2, changedBy: 'local' },
  ...{ changedAt: '2026-12-01T00:00:00.000Z', nextDueAt: '2026-12-02T01:30:00.000Z', condition: 'dataset.images > 3' },
  source: { kind: 'SCHEDULE', cron: '30 2 * * *', timeZone: 'Europe/Berlin', dataset: null },
  action: { launch: { recipe: {} }, notify: null, promote: { alias: 'production' } },
  policy: { misfire: 'ONE', monthlyUsd: null },
};
const OUTCOME = {
  ...{ verdict: 'NOT_MET', reason: null, detail: 'dataset.images > 3 is false (dataset.images is 2)', error: null },
  terms: [
    { depth: 0, text: 'dataset.images > 3', value: false },
    { depth: 1, text: 'dataset.images', value: 2 },
    { depth: 1, text: '3', value: 3 },
  ],
  event: { type: 'trigger.due', at: '2026-12-01T00:00:00.000Z', key: 'due' },
  ...{ launchedRun: null, measuringRun: null, promoted: null },
};
const plain = () => out.lines.map((line) => line.replace(/ +/g, ' ').trim());

it('lists triggers, and says how to make the first', async () => {
  await listTriggers(answering({ Triggers: { triggers: { nodes: [], pageInfo } } }));
  expect(out.lines).toEqual(['No triggers yet. `pushforward triggers create NAME FILE` makes one.']);
  await listTriggers(answering({ Triggers: { triggers: { nodes: [TRIGGER], pageInfo } } }));
  expect(plain().at(-1)).toBe(
    'grown ACTIVE SCHEDULE 30 2 * * * Europe/Berlin dataset.images > 3 promote to production, launch 2026-12-02T01:30:00.000Z',
  );
});

it('shows what a trigger is as it can be said again', async () => {
  await showTrigger(answering({ Trigger: { trigger: TRIGGER } }), 'grown', { json: true });
  expect(JSON.parse(out.lines.join('\n'))).toEqual({
    source: { kind: 'SCHEDULE', cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
    condition: 'dataset.images > 3',
    action: { launch: { recipe: {} }, promote: { alias: 'production' } },
    policy: { misfire: 'ONE' },
  });
  await expect(showTrigger(answering({ Trigger: { trigger: null } }), 'x', {})).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

it('makes one from a file, and tells what is wrong with it', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'pushforward-triggers-')), 'trigger.json');
  const sent: unknown[] = [];
  const answer = { __typename: 'CreateTriggerSuccess', trigger: TRIGGER };
  const client = { send: (...of: unknown[]) => (sent.push(of), Promise.resolve({ createTrigger: answer })) };
  await writeFile(file, '{ "source": ');
  const create = () => createTrigger(client as unknown as ApiClient, 'grown', file);
  await expect(create()).rejects.toThrow('expected JSON in');
  await writeFile(file, '{ "source": { "kind": "ALIAS" } }');
  await create();
  expect(sent).toEqual([['CreateTrigger', { name: 'grown', definition: { source: { kind: 'ALIAS' } } }]]);
  expect(out.lines).toEqual(['grown is ACTIVE (trigger_1). Due next at 2026-12-02T01:30:00.000Z.']);
  const refused = {
    __typename: 'InvalidInput',
    code: 'INVALID_INPUT',
    message: 'expected a number',
    remedy: null,
    path: [],
  };
  await expect(createTrigger(answering({ CreateTrigger: { createTrigger: refused } }), 'x', file)).rejects.toThrow(
    'expected a number',
  );
});

it('tells what a trigger would do, with the values that decide', async () => {
  const answers = (outcome: object | null, eventKey: string | null = null) =>
    answering({
      Trigger: { trigger: TRIGGER },
      EvaluateTrigger: { evaluateTrigger: { __typename: 'EvaluateTriggerSuccess', eventKey, outcome } },
    });
  await evaluateTrigger(answers(OUTCOME), 'grown', {});
  expect(out.lines).toEqual([
    'grown would not fire: NOT_MET: dataset.images > 3 is false (dataset.images is 2)',
    'For trigger.due of 2026-12-01T00:00:00.000Z',
    '  dataset.images > 3  ->  false',
    '    dataset.images  ->  2',
  ]);
  const waits = {
    ...OUTCOME,
    verdict: 'PENDING',
    reason: 'MEASURING',
    detail: null,
    terms: [],
    measuringRun: { id: 'run_1', state: 'RUNNING' },
  };
  await evaluateTrigger(answers(waits), 'grown', {});
  expect(out.lines.at(-2)).toBe('grown does not know yet: PENDING: measured by run_1 (RUNNING); MEASURING');
  await evaluateTrigger(answers(null, 'request_1'), 'grown', { now: true });
  expect(out.lines.at(-1)).toContain('evaluated for request_1');
  await expect(evaluateTrigger(answers(OUTCOME), 'grown', { event: '{' })).rejects.toThrow('expected JSON in --event');
});

it('tells why triggers fired, and why not', async () => {
  const base = { createdAt: '2026-12-01T00:00:01.000Z', triggerVersion: 2, trigger: TRIGGER };
  const fired = { ...OUTCOME, ...base, verdict: 'FIRED', detail: null, launchedRun: { id: 'run_2', state: 'QUEUED' } };
  const nodes = [fired, { ...OUTCOME, ...base }];
  const client = () => answering({ TriggerEvaluations: { triggerEvaluations: { nodes, pageInfo } } });
  await triggerHistory(client(), undefined, {});
  expect(plain().slice(-2)).toEqual([
    '2026-12-01T00:00:01.000Z grown trigger.due FIRED launched run_2 (QUEUED)',
    '2026-12-01T00:00:01.000Z grown trigger.due NOT_MET dataset.images > 3 is false (dataset.images is 2)',
  ]);
  await triggerHistory(client(), undefined, { terms: true });
  expect(out.lines.at(-1)).toBe('    dataset.images  ->  2');
  await triggerHistory(
    answering({ TriggerEvaluations: { triggerEvaluations: { nodes: [], pageInfo } } }),
    undefined,
    {},
  );
  expect(out.lines.at(-1)).toBe('Nothing has come of it yet.');
});

it('pauses one, and lets others send events', async () => {
  const paused = { __typename: 'PauseTriggerSuccess' };
  await pauseTrigger(
    answering({ Trigger: { trigger: TRIGGER }, PauseTrigger: { pauseTrigger: paused } }),
    'grown',
    'x',
  );
  expect(out.lines.at(-1)).toContain('grown is PAUSED');
  const told = { __typename: 'CreateEventSourceSuccess', secret: 'whsec_x', eventSource: { id: 'evsrc_1' } };
  await addEventSource(answering({ CreateEventSource: { createEventSource: told } }), 'labelling');
  expect(out.lines.at(-1)).toBe('whsec_x');
  const source = { id: 'evsrc_1', name: 'labelling', revokedAt: null, secrets: [{ expiresAt: null }] };
  await listEventSources(answering({ EventSources: { eventSources: [source] } }));
  expect(plain().at(-1)).toBe('labelling /api/v1/events/evsrc_1 1 valid');
});
