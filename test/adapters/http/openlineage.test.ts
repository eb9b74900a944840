import { type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOpenLineageHttp, type OpenLineageHttp } from '../../../src/adapters/http/openlineage.ts';
import { type LineageReceiver, startLineageReceiver } from '../../support/openlineage.ts';

let receiver: LineageReceiver;
beforeEach(async () => void (receiver = await startLineageReceiver()));
afterEach(() => receiver.close());

const EVENT = { eventType: 'START', run: { runId: 'r', facets: {} } };
const sink = (more: Partial<OpenLineageHttp> = {}) =>
  createOpenLineageHttp({ url: receiver.url, endpoint: 'api/v1/lineage', apiKey: null, compression: 'none', ...more });
const send = (more: Partial<OpenLineageHttp> = {}) => sink(more).send(EVENT, new AbortController().signal);
const answering = (status: number, headers: Record<string, string> = {}, body = '') =>
  (receiver.answer = (_event: unknown, response: ServerResponse) => void response.writeHead(status, headers).end(body));

describe('an event', () => {
  it('is posted as clients of OpenLineage post theirs', async () => {
    expect(await send()).toEqual({ kind: 'sent' });
    expect(await send({ url: `${receiver.url}/`, endpoint: '/lineage/events', apiKey: 'secret' })).toEqual({
      kind: 'sent',
    });
    expect(receiver.events).toEqual([EVENT, EVENT]);
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/api/v1/lineage', '/lineage/events']);
    expect(receiver.requests[0]!.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(receiver.requests[0]!.headers).not.toHaveProperty('authorization');
    expect(receiver.requests[1]!.headers['authorization']).toBe('Bearer secret');
  });

  it('is compressed where that was asked for', async () => {
    await send({ compression: 'gzip' });
    expect(receiver.requests[0]!.headers['content-encoding']).toBe('gzip');
    expect(receiver.events).toEqual([EVENT]);
  });

  it.each([400, 406, 410, 413, 415, 422, 451])(
    'that is answered with %i would be again: it is refused',
    async (status) => {
      answering(status, {}, 'no such facet');
      expect(await send()).toEqual({
        kind: 'refused',
        reason: `expected 2xx from the OpenLineage receiver, got ${status}: no such facet`,
      });
    },
  );

  it.each([301, 307, 401, 403, 404, 408, 429, 500, 502, 503])(
    'that is answered with %i comes again',
    async (status) => {
      answering(status, { location: '/elsewhere' });
      expect(await send()).toMatchObject({ kind: 'unavailable', afterMs: null });
      expect(receiver.requests).toHaveLength(1);
    },
  );

  it('comes again when the receiver says', async () => {
    answering(429, { 'retry-after': '7' });
    expect(await send()).toMatchObject({ kind: 'unavailable', afterMs: 7000 });
    answering(503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() });
    const dated = await send();
    expect(dated).toMatchObject({ kind: 'unavailable' });
    expect((dated as { afterMs: number }).afterMs).toBeGreaterThan(3_000_000);
    answering(503, { 'retry-after': 'soon' });
    expect(await send()).toMatchObject({ kind: 'unavailable', afterMs: null });
  });

  it('comes again where nobody answers, or nobody is there; what is said of it has no key', async () => {
    receiver.answer = () => {};
    const hanging = await send({ timeoutMs: 50, apiKey: 'secret' });
    expect(hanging).toEqual({
      kind: 'unavailable',
      reason: 'expected the OpenLineage receiver to answer, got no answer within 50 ms',
      afterMs: null,
    });
    receiver.close();
    expect(await send()).toMatchObject({
      kind: 'unavailable',
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('is given up with the service', async () => {
    receiver.answer = () => {};
    const stop = new AbortController();
    const sending = sink().send(EVENT, stop.signal);
    stop.abort();
    expect(await sending).toMatchObject({ kind: 'unavailable' });
  });
});
