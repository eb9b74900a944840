/** GraphQL over HTTP: what the specification's audits ask of a server, each under its id. */
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHttp, type TestHttp } from './client.ts';

let api: TestHttp;
beforeAll(async () => (api = await startTestHttp()));
afterAll(() => api?.close());

const audits = serverAudits({
  url: () => `${api.url}/graphql`,
  // Required of requests that a page of another origin could send without asking first: all that are GET, or no JSON.
  fetchFn: (url: string, { headers, ...request }: RequestInit = {}) =>
    fetch(url, { ...request, headers: { ...(headers as Record<string, string>), 'apollo-require-preflight': 'true' } }),
});

describe('GraphQL over HTTP', () => {
  it('has the audits that were known when this was written', () => {
    expect(audits).toHaveLength(61);
  });

  it.each(audits)('$id $name', async ({ fn }) => {
    const result = await fn();
    expect(result.status, 'reason' in result ? result.reason : undefined).toBe('ok');
  });
});
