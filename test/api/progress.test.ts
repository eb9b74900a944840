import { request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Probes, startProbes } from '../../src/api/http/probes.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';

const told: [string, string, number][] = [];
let probes: Probes;

beforeAll(async () => {
  probes = await startProbes({
    ...{ port: 0, health: async () => ({}) as never, metricsText: () => '', log: silentLog },
    progress: () => ({
      reportProgress(token, attemptId, itemsDone) {
        if (token !== 'right') throw new PushforwardError('UNAUTHENTICATED', 'expected the token of a run');
        told.push([token, attemptId, itemsDone]);
      },
    }),
  });
});
afterAll(() => probes.close());

/** As a pod does it, which knows the service by a name that is not of this machine. */
function post(attemptId: string, body: string, authorization?: string): Promise<number> {
  const { port } = probes;
  const headers = { host: 'pushforward.runs.svc:4000', 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const path = `/attempts/${attemptId}/progress`;
    request({
      hostname: '127.0.0.1',
      port,
      path,
      method: 'POST',
      headers: { ...headers, ...(authorization && { authorization }) },
    })
      .on('response', (answer) => resolve(answer.resume().statusCode!))
      .on('error', reject)
      .end(body);
  });
}

it('takes the progress that a worker tells with the token of its run, and no other', async () => {
  expect(await post('attempt_1', '{"itemsDone":3}', 'Bearer right')).toBe(204);
  expect(told).toEqual([['right', 'attempt_1', 3]]);
  expect(await post('attempt_1', '{"itemsDone":3}', 'Bearer wrong')).toBe(401);
  expect(await post('attempt_1', '{"itemsDone":3}')).toBe(401);
  for (const body of ['{}', '{"itemsDone":-1}', '{"itemsDone":"3"}', '{"itemsDone":1.5}', '[]', 'no json']) {
    expect([body, await post('attempt_1', body, 'Bearer right')]).toEqual([body, 400]);
  }
  expect(told).toHaveLength(1);
});
