/** A store that fails, and a way to it that damages what passes. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createS3Store } from '../../src/adapters/storage/s3/store.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../support/s3-server.ts';

describe.skipIf(goMissing)('a run over S3', () => {
  const suite = faultSuite();
  let server: S3Server;
  let proxy: FaultProxy;
  beforeAll(async () => {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
    Object.assign(process.env, environmentOf(server.owner));
  });
  afterEach(() => {
    proxy.fault = () => null;
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  const error = (status: number, code: string): Fault => ({ status, code });
  const any = () => true;
  const reads = (kind: string) => kind === 'GET';
  const writes = (kind: string) => kind === 'PUT';

  it.each<[string, Fault, (kind: string) => boolean]>([
    ['that answers 500', error(500, 'InternalError'), any],
    ['that answers 503 SlowDown', error(503, 'SlowDown'), any],
    ['that says that others write (409)', error(409, 'ConditionalRequestConflict'), writes],
    ['that refuses what is not there (412)', error(412, 'PreconditionFailed'), writes],
    ['whose answers are cut in the middle', 'cut', reads],
    ['whose answers are cut before they begin', 'cutAtOnce', any],
    ['whose answers get lost', 'answerLost', any],
    ['whose answers are cut short without a word', 'truncated', reads],
    ['whose answers have a bit that is another', 'flipped', reads],
    ['that is sent a bit that is another', 'flippedUpload', writes],
  ])('%s now and then makes what it makes otherwise', async (_, fault, hits) => {
    const settings = await server.bucket();
    let faults = 0;
    await suite.survives(
      async (world, runId) => {
        let seen = 0;
        proxy.fault = (kind) => (hits(kind) && seen++ % 4 === 0 ? (faults++, fault) : null);
        await world.ended(runId, 300_000);
        proxy.fault = () => null;
        expect(faults).toBeGreaterThan(5);
      },
      {
        store: async () => ({
          env: {
            ...environmentOf(server.owner),
            PUSHFORWARD_STORE: `s3://${settings.bucket}`,
            PUSHFORWARD_S3_ENDPOINT: proxy.endpoint,
          },
          objects: createS3Store(settings),
          folder: `${server.folder}/${settings.bucket}`,
        }),
      },
    );
  });
});
