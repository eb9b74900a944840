/** Subscriptions as server-sent events, by the client of graphql-sse and as the bytes that an EventSource reads. */
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyPrior, readyVersion } from '../control/world.ts';
import { operationText, startTestApi, type TestApi } from './client.ts';

let api: TestApi;
let runId: string;
beforeAll(async () => {
  api = await startTestApi();
  const { id: datasetVersionId } = await readyVersion(api, 'letters', [{ name: 'A', images: 100 }]);
  const { id: priorId } = await anyPrior(api);
  const input = { recipe: { datasetVersionId, priorId, imagesPerClass: 5 }, idempotencyKey: 'one' };
  runId = (await api.operation('LaunchRun', { input })).data.launchRun.run.id;
  await api.engine.append(runId, 'one', 'two');
}, 60_000);
afterAll(() => api?.close());

const query = operationText('RunEvents');
const stream = () => `${api.url}/graphql/stream`;
const asked = (variables: object, text = query) =>
  `${stream()}?${new URLSearchParams({ query: text, variables: JSON.stringify(variables) })}`;

/** Reads until `enough`, then leaves. */
async function read(url: string, enough: (text: string) => boolean, headers: Record<string, string> = {}) {
  const leaving = new AbortController();
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: leaving.signal });
  let text = '';
  for await (const part of response.body!) {
    text += Buffer.from(part).toString();
    if (enough(text)) break;
  }
  leaving.abort();
  return { type: response.headers.get('content-type'), text };
}

const idsOf = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));

describe('a subscription over server-sent events', () => {
  it('tells what was and what comes, numbered, and lets go of one that leaves', async () => {
    const before = api.engine.listeners.size;
    const { type, text } = await read(asked({ runId }), (so) => idsOf(so).length === 3);
    expect(type).toBe('text/event-stream; charset=utf-8');
    expect(idsOf(text)).toEqual([1, 2, 3]);
    await expect.poll(() => api.engine.listeners.size, { timeout: 5000 }).toBe(before);
  });

  it('goes on after the sequence in its variable, or in Last-Event-ID as a browser sends it', async () => {
    const more = (so: string) => idsOf(so).length > 0;
    expect(idsOf((await read(asked({ runId, afterSequence: 2 }), more)).text)).toEqual([3]);
    expect(idsOf((await read(asked({ runId }), more, { 'last-event-id': '2' })).text)).toEqual([3]);
  });

  it('is what the client of graphql-sse reads, to the end of the run', async () => {
    const client = createClient({ url: stream(), retryAttempts: 0 });
    const seen: unknown[] = [];
    const done = (async () => {
      for await (const { data } of client.iterate({ query, variables: { runId, afterSequence: 1 } }))
        seen.push((data!['runEvents'] as { type: string }).type);
    })();
    await expect.poll(() => seen).toEqual(['one', 'two']);
    await api.engine.end(runId, 'QUEUED', 'CANCELLED');
    await done;
    expect(seen).toEqual(['one', 'two', 'run.cancelled']);
    client.dispose();
  });

  it('that is none, or refused, is told as an event, and ends', async () => {
    const ended = (so: string) => so.includes('event: complete');
    const answer = async (variables: object, text?: string) => (await read(asked(variables, text), ended)).text;
    expect(await answer({ runId: 'run_none' })).toContain('"code":"NOT_FOUND"');
    expect(await answer({}, '{ apiVersion }')).toContain('expected a subscription, got query');
    expect(await answer({}, 'subscription {')).toContain('Syntax Error');
    expect((await fetch(stream())).status).toBe(400);
    expect((await fetch(stream(), { method: 'PUT' })).status).toBe(405);
  });
});
