/** Requests made to take long: each is refused, with what was expected, and the service answers on. */
import 'reflect-metadata';
import { getOperationAST, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { costOf } from '../../src/api/http/cost.ts';
import { MAX_COST } from '../../src/api/http/limits.ts';
import { buildApiSchema } from '../../src/api/schema.ts';
import { type Answer, operationText, startTestHttp, type TestHttp } from './client.ts';

let api: TestHttp;
beforeAll(async () => (api = await startTestHttp()));
afterAll(() => api?.close());

const schema = buildApiSchema();
const costs = (text: string, variables = {}) => costOf(schema, parse(text), getOperationAST(parse(text))!, variables);

describe('the cost of an operation', () => {
  it('counts objects, as often as the lists above them are long', () => {
    expect(costs('{ apiVersion __typename __schema { types { name } } }')).toBe(0);
    expect(costs('{ run(id: "x") { id datasetVersion { dataset { name } } } }')).toBe(3);
    expect(costs('{ runs(first: 10) { nodes { id } } }')).toBe(10 * 2);
    expect(costs('{ runs { nodes { id } } }')).toBe(20 * 2);
    const nested = 'query ($n: Int!) { datasets(first: $n) { nodes { versions(first: 3) { nodes { id } } } } }';
    expect(costs(nested, { n: 7 })).toBe(7 * (2 + 3 * 2));
  });

  it('counts a fragment wherever it is spread', () => {
    const shared =
      '{ a: runs(first: 10) { ...A } b: runs(first: 1) { ...A } } fragment A on RunConnection { nodes { id } }';
    expect(costs(shared)).toBe(10 * 2 + 2);
  });

  it('stands in the extensions of the answer', async () => {
    const answer = (await (await api.post({ query: '{ apiVersion health { ok } }' })).json()) as { extensions: object };
    expect(answer.extensions).toEqual({ cost: { requested: 1, maximum: MAX_COST } });
  });
});

const refused = async (query: string, variables: Record<string, unknown> = {}): Promise<string> => {
  const answer: Answer = await api.query(query, variables);
  expect(answer.data).toBeUndefined();
  const [error, ...others] = answer.errors!;
  expect(others).toEqual([]);
  expect(error!.extensions).toEqual({ code: 'LIMIT_EXCEEDED' });
  return error!.message;
};

describe('an operation is refused with the limit, what came, and a remedy', () => {
  it('for its cost', async () => {
    const page = 'runs(first: 100) { nodes { stages { tasks(first: 100) { nodes { id } } } } }';
    expect(await refused(`{ ${page} }`)).toBe(
      'expected an operation that shows at most 20000 objects, got one of up to 20300: ask for shorter pages (first) or in several requests',
    );
  });

  it('for fragments that double at each step', async () => {
    const steps = Array.from(
      { length: 12 },
      (_, i) =>
        `fragment F${i} on Artifact { a: inputs { ...F${i + 1} } b: inputs { ...F${i + 1} } c: inputs { ...F${i + 1} } }`,
    );
    const query = `{ artifact(id: "x") { ...F0 } } ${steps.join(' ')} fragment F12 on Artifact { id }`;
    expect(await refused(query)).toMatch(
      /^expected an operation that shows at most 20000 objects, got one of up to \d{6,}: /,
    );
  });

  it('for its depth', async () => {
    const query = `{ artifact(id: "x") { ${'inputs { '.repeat(20)} id ${'}'.repeat(20)} } }`;
    expect(await refused(query)).toBe('expected fields nested at most 14 deep, got 22: ask in several requests');
  });

  it('for names of one field side by side, also within inline fragments', async () => {
    const names = Array.from({ length: 31 }, (_, i) => `... on Query { a${i}: run(id: "x") { id } }`);
    const message = 'expected run at most 30 times side by side, got 31: ask in several requests';
    expect(await refused(`{ ${names.join(' ')} }`)).toBe(message);
  });

  it('for one field again and again, before its selections are compared with each other', async () => {
    const message = 'expected stages at most 30 times side by side, got 300: ask in several requests';
    expect(await refused(`{ run(id: "x") { ${'stages { name } '.repeat(300)} } }`)).toBe(message);
  });

  it('for its words', async () => {
    expect(await refused(`{ ${'apiVersion '.repeat(5000)} }`)).toMatch(
      /^expected a document of at most 4000 tokens, got more: /,
    );
  });

  it('for variables that are huge, and as a batch', async () => {
    const large = await api.post({ query: '{ apiVersion }', variables: { x: 'x'.repeat(2_000_000) } });
    expect([large.status, await large.json()]).toEqual([
      413,
      {
        errors: [
          {
            message: expect.stringMatching(/^expected a body of at most 1048576 bytes, got 20000\d\d: /),
            extensions: { code: 'LIMIT_EXCEEDED' },
          },
        ],
      },
    ]);
    const batch = await api.post(Array(500).fill({ query: '{ apiVersion }' }));
    expect([batch.status, await batch.json()]).toEqual([
      400,
      {
        errors: [
          {
            message: 'expected one operation, got a batch of 500: send them one by one',
            extensions: { code: 'LIMIT_EXCEEDED' },
          },
        ],
      },
    ]);
  });

  it('over a stream too', async () => {
    const query = `subscription { runEvents(runId: "x") { ${Array.from({ length: 40 }, (_, i) => `a${i}: type`).join(' ')} } }`;
    const answer = await fetch(`${api.url}/graphql/stream?${new URLSearchParams({ query })}`);
    expect(await answer.text()).toMatch(/expected type at most 30 times.*"LIMIT_EXCEEDED"/);
  });
});

it('none of our own operations comes near', () => {
  const text = operationText('Lineage');
  expect(costs(text, { first: 100 })).toBeLessThan(MAX_COST / 5);
});
