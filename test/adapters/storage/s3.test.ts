import { afterAll, beforeAll, describe } from 'vitest';
import { createS3Store } from '../../../src/adapters/storage/s3/store.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { describeStoreContract } from '../../support/store-contract.ts';

const MIB = 1024 * 1024;

describe.skipIf(goMissing)('S3', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
    Object.assign(process.env, environmentOf(server.owner));
  }, 600_000);
  afterAll(() => server.stop());

  describeStoreContract('S3', async () => createS3Store(await server.bucket()));
  describeStoreContract('S3 below a prefix, in parts', async () =>
    createS3Store({ ...(await server.bucket()), prefix: 'some/team' }, { partBytes: 5 * MIB, multipartFromBytes: 1 }),
  );
});
