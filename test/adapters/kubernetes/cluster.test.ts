import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type V1Job } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../../src/adapters/kubernetes/cluster.ts';

const job: V1Job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'one' } };

describe('what the API server answers', () => {
  let answer: { code: number; body: string };
  let folder: string;
  const server = createServer((_, response) => {
    response.writeHead(answer.code, { 'content-type': 'application/json' }).end(answer.body);
  });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-kubeconfig-'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const config = {
      clusters: [{ name: 'one', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'one', user: {} }],
      contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
      'current-context': 'one',
    };
    await writeFile(join(folder, 'config'), JSON.stringify(config));
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  const status = (code: number, reason: string) => ({
    code,
    body: JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      message: `it is ${reason}`,
      reason,
      code,
    }),
  });

  it.each([
    [status(409, 'AlreadyExists'), 'ALREADY_EXISTS', /got 409 it is AlreadyExists: use another name/],
    // Two writers of one object, such as the status of a quota.
    [status(409, 'Conflict'), 'CLUSTER_UNAVAILABLE', /got 409 it is Conflict: it is tried again/],
    [{ code: 409, body: 'null' }, 'CLUSTER_UNAVAILABLE', /it is tried again/],
    [status(403, 'Forbidden'), 'FORBIDDEN', /it is Forbidden: allow/],
    [status(422, 'Invalid'), 'INVALID_INPUT', /correct the executor class/],
    [status(429, 'TooManyRequests'), 'CLUSTER_UNAVAILABLE', /it is tried again/],
    [{ code: 502, body: 'a proxy' }, 'CLUSTER_UNAVAILABLE', /got 502 a proxy: it is tried again/],
  ])('%o is told as %s', async (given, code, message) => {
    answer = given;
    const cluster = openCluster({ kubeconfig: join(folder, 'config'), namespace: 'runs', selector: 'a=b' });
    const refusal = await cluster.createJob(job).then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code });
    expect(String(refusal)).toMatch(message);
  });
});
