/** What telemetry costs a run: the compiled service with a receiver of traces and metrics, against one without. */
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ApiClient } from '../../src/cli/client.ts';
import { ROOT, startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import { type Bench, type BenchCase } from './bench.ts';
import { medianInterval } from './measure.ts';

const PAIRS = 12;
const CASE = 'a run of the letters from encode on, with a receiver of traces and metrics, against none';

export const bench: Bench = {
  about: 'telemetry: what a receiver of traces and metrics costs a run',
  async *cases(wanted) {
    if (wanted(CASE)) yield await withTemporaryFolder(measured);
  },
};

/** The same run over and over, made anew each time; on and off in turns, so that neither always comes first. */
async function measured(folder: string): Promise<BenchCase> {
  const receiver = await startReceiver();
  const sides = {
    on: await startServiceProcess(join(folder, 'on'), { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }),
    off: await startServiceProcess(join(folder, 'off'), { OTEL_EXPORTER_OTLP_ENDPOINT: '' }),
  };
  try {
    const runs = { on: await firstRun(sides.on.client), off: await firstRun(sides.off.client) };
    const ms: Record<'on' | 'off', number[]> = { on: [], off: [] };
    for (let pair = 0; pair < PAIRS; pair++) {
      for (const side of pair % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
        ms[side].push(await rerunMs(sides[side].client, runs[side]));
      }
    }
    const { median, low, high } = medianInterval(ms.on.map((each, pair) => each / ms.off[pair]!));
    return {
      ...{ case: CASE, unit: 'ratio', ours: median, peers: { limit: 1.02 }, target: 1, interval: [low, high] },
      ...{ onMs: medianInterval(ms.on).median, offMs: medianInterval(ms.off).median, pairs: PAIRS },
      requestsReceived: receiver.requests(),
    };
  } finally {
    for (const side of Object.values(sides)) await side.end();
    receiver.close();
  }
}

/** Takes everything and looks at nothing: a receiver's own work is not the run's. */
async function startReceiver() {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume().on('end', () => response.setHeader('content-type', 'application/x-protobuf').end());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function firstRun(client: ApiClient): Promise<string> {
  const key = { idempotencyKey: crypto.randomUUID() };
  const { importDataset } = await client.send<{ importDataset: { version: { id: string } } }>('ImportDataset', {
    input: { ...key, name: 'glyphs', path: join(ROOT, 'priors/glyphs/dataset/train.parquet') },
  });
  const datasetVersionId = importDataset.version.id;
  await until(async () => {
    const { datasetVersion } = await client.send<{ datasetVersion: { state: string } }>('DatasetVersion', {
      id: datasetVersionId,
    });
    return datasetVersion.state === 'READY';
  });
  const { registerPrior } = await client.send<{ registerPrior: { prior: { id: string } } }>('RegisterPrior', {
    input: { path: join(ROOT, 'priors/glyphs') },
  });
  const { launchRun } = await client.send<{ launchRun: { run: { id: string } } }>('LaunchRun', {
    input: { ...key, recipe: { datasetVersionId, priorId: registerPrior.prior.id, imagesPerClass: 5 } },
  });
  await ended(client, launchRun.run.id);
  return launchRun.run.id;
}

async function rerunMs(client: ApiClient, runId: string): Promise<number> {
  const { retryRun } = await client.send<{ retryRun: { run: { id: string } } }>('RetryRun', {
    input: { runId, fromStage: 'encode', idempotencyKey: crypto.randomUUID() },
  });
  return await ended(client, retryRun.run.id);
}

/** From start to end by the database's clock. @throws where it did not succeed */
async function ended(client: ApiClient, id: string): Promise<number> {
  interface Run {
    state: string;
    startedAt: string;
    endedAt: string | null;
  }
  let run: Run | undefined;
  await until(async () => {
    run = (await client.send<{ run: Run }>('Run', { id })).run;
    return run.endedAt !== null;
  });
  if (run!.state !== 'SUCCEEDED') throw new Error(`expected run ${id} to succeed, got ${run!.state}`);
  return Date.parse(run!.endedAt!) - Date.parse(run!.startedAt);
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((wake) => setTimeout(wake, 200));
}
