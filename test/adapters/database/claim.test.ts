import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimService } from '../../../src/adapters/database/claim.ts';
import { startTcpProxy, type TcpProxy } from '../../support/faults/tcp-proxy.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
let proxy: TcpProxy;
let url: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const database = await postgres.database();
  const direct = new URL(database.url);
  proxy = await startTcpProxy(Number(direct.port));
  url = Object.assign(direct, { port: String(proxy.port) }).href;
}, 60_000);
afterAll(async () => {
  await proxy?.stop();
  await postgres?.stop();
});

it('is held by one at a time, until that lets it go', async () => {
  const claim = await claimService(url);
  expect(claim!.held()).toBe(true);
  expect(await claimService(url)).toBeNull();
  await claim!.release();
  const next = await claimService(url);
  expect(next!.held()).toBe(true);
  await next!.release();
});

it('is lost where the server answers no more, though nobody says so', async () => {
  const claim = await claimService(url, { askEveryMs: 20, silentMs: 200 });
  proxy.silence(true);
  expect(claim!.held()).toBe(true);
  await until(() => !claim!.held(), 'the claim to count as lost');
  proxy.silence(false);
  proxy.cut();
});

it('is lost where the connection breaks', async () => {
  const claim = await until(() => claimService(url), 'the claim before to be free');
  proxy.cut();
  await until(() => !claim.held(), 'the claim to count as lost');
});
