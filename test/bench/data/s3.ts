/** Objects of 64 MiB through our store and through the bare SDK, against one real server. */
import { randomBytes } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { openClient } from '../../../src/adapters/storage/s3/connection.ts';
import { createS3Store } from '../../../src/adapters/storage/s3/store.ts';
import { environmentOf, startS3Server } from '../../support/s3-server.ts';
import { type BenchCase } from '../bench.ts';
import { median, medianInterval, timeMs } from '../measure.ts';

const MIB = 1024 * 1024;
const OBJECT_MIB = 64;
const PAIRS = 15;
const PUT = 'S3 put of 64 MiB';
const GET = 'S3 get of 64 MiB';

export async function* s3Cases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  if (!wanted(PUT) && !wanted(GET)) return;
  const server = await startS3Server();
  try {
    Object.assign(process.env, environmentOf(server.owner));
    const settings = await server.bucket();
    const store = createS3Store(settings);
    const client = openClient(settings, 5, settings.checksums);
    const body = new Uint8Array(randomBytes(OBJECT_MIB * MIB));
    const at = (Key: string) => ({ Bucket: settings.bucket, Key });

    const puts = await pairs(
      async () => void (await store.put('ours', body)),
      async () => void (await client.send(new PutObjectCommand({ ...at('bare'), Body: body }))),
    );
    if (wanted(PUT)) yield asCase(PUT, puts);

    const whole = (bytes: Uint8Array | undefined) => {
      if (bytes?.length !== body.length) throw new Error(`expected ${body.length} bytes, got ${bytes?.length}`);
    };
    const gets = await pairs(
      async () => whole(await store.get('ours')),
      async () => whole(await (await client.send(new GetObjectCommand(at('bare')))).Body?.transformToByteArray()),
    );
    if (wanted(GET)) yield asCase(GET, gets);
  } finally {
    await server.stop();
  }
}

/** Milliseconds, in turns; who is first changes, and the first pairs only warm up. */
async function pairs(ours: () => Promise<void>, bare: () => Promise<void>): Promise<{ ours: number; bare: number }[]> {
  const all: { ours: number; bare: number }[] = [];
  for (let turn = -2; turn < PAIRS; turn++) {
    const pair = { ours: 0, bare: 0 };
    for (const one of turn % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)) {
      pair[one] = await timeMs(one === 'ours' ? ours : bare);
    }
    if (turn >= 0) all.push(pair);
  }
  return all;
}

function asCase(name: string, all: { ours: number; bare: number }[]): BenchCase {
  const rate = (ms: number[]) => (OBJECT_MIB / median(ms)) * 1000;
  return {
    case: name,
    unit: 'MiB/s',
    ours: rate(all.map(({ ours }) => ours)),
    peers: { 'bare SDK': rate(all.map(({ bare }) => bare)) },
    target: 0.9,
    ratioOfPairs: medianInterval(all.map(({ ours, bare }) => bare / ours)),
    pairs: all.length,
  };
}
