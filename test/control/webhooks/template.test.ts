import { describe, expect, it } from 'vitest';
import { type JsonObject } from '../../../src/base/json.ts';
import { type EventType, PING } from '../../../src/control/webhooks/event-types.ts';
import { ALL_TYPES, sampleEvent, sampleEvents } from '../../../src/control/webhooks/samples.ts';
import { checkTemplate, fillTemplate } from '../../../src/control/webhooks/template.ts';
import { flawsOf } from '../../support/webhook-event.ts';

const event: JsonObject = { id: 'e', data: { run: { id: 'run_1' }, cost: 0.5, artifacts: [{ id: 'a' }], none: null } };

describe('a template', () => {
  it('becomes what the event has: values where a text is a path, texts within others', () => {
    const template = {
      text: 'Run {{data.run.id}} cost {{ data.cost }} ({{data.none}}{{data.nothing}})',
      cost: '{{data.cost}}',
      run: '{{data.run}}',
      first: '{{data.artifacts.0.id}}',
      list: ['{{id}}', 1, true, null, 'plain'],
      nothing: '{{data.none}}',
      object: 'is {{data.run}}',
    };
    expect(fillTemplate(template, event)).toEqual({
      ...{ text: 'Run run_1 cost 0.5 ()', cost: 0.5, run: { id: 'run_1' }, first: 'a', nothing: null },
      ...{ list: ['e', 1, true, null, 'plain'], object: 'is {"id":"run_1"}' },
    });
  });

  it('reaches nothing but what the event has', () => {
    expect(fillTemplate({ a: '{{constructor.name}}', b: '{{data.__proto__}}' }, event)).toEqual({ a: null, b: null });
  });

  it('fills no path that a value of the event says', () => {
    expect(fillTemplate('{{a}} {{b}}', { a: '{{b}}', b: 'c' })).toBe('{{b}} c');
  });

  it('is refused with a path that an event of its types does not have, and says which there are', () => {
    const check = (template: string, types: typeof ALL_TYPES = ['run.succeeded']) =>
      checkTemplate({ text: template }, sampleEvents(types, 'default'));
    check('{{data.run.id}} {{data.training.url}} {{data.artifacts.0.files.0.name}} {{traceparent}}');
    check('{{id}} {{type}} {{data.projectId}}', ALL_TYPES);
    expect(() => check('{{data.run.name}}')).toThrow(
      /expected a path that an event run\.succeeded has, got \{\{data\.run\.name\}\}: name one of .*data\.run\.id/,
    );
    expect(() => check('{{data.run.id}}', ['run.succeeded', 'datasetVersion.ready'])).toThrow(
      /that an event datasetVersion\.ready has.*leave datasetVersion\.ready out of the types/,
    );
    expect(() => check('{{data run}}')).toThrow(/expected \{\{path\}\}/);
    expect(() => check('{{data.run.id')).toThrow(/expected \{\{path\}\}/);
    expect(() => check('x'.repeat(20_000))).toThrow(/16384 characters/);
  });
});

it.each<EventType | typeof PING>([...ALL_TYPES, PING])('the sample of %s is what the schema describes', (type) => {
  expect(flawsOf(sampleEvent(type, 'default'))).toEqual([]);
});
