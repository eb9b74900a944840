/** A database that goes away in the middle of a run. */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, it } from 'vitest';
import { faultSuite } from '../support/faults/suite.ts';
import { stopWorker } from '../support/faults/workers.ts';
import { signalProcess } from '../../src/base/process-identity.ts';
import { type World } from '../support/faults/world.ts';

const suite = faultSuite();

/** Long enough for renewals to fail and be tried again, and for attempts to end meanwhile. */
const OUTAGE_MS = 4_000;

async function inTheMiddle(world: World, runId: string): Promise<void> {
  signalProcess(await stopWorker(world, runId), 'SIGCONT');
}

it.each(['stopped', 'killed'] as const)('PostgreSQL is %s and started again', async (how) => {
  await suite.survives(async (world, runId) => {
    await inTheMiddle(world, runId);
    await suite.postgres.restart(how);
    await inTheMiddle(world, runId);
    await suite.postgres.restart(how);
  });
});

it('connections are cut again and again', async () => {
  await suite.survives(async (world, runId) => {
    await inTheMiddle(world, runId);
    let cut = 0;
    for (let cuts = 0; cuts < 20; cuts++) {
      cut += suite.postgres.proxy.cut();
      await delay(200);
    }
    expect(cut).toBeGreaterThan(20);
  });
});

it('PostgreSQL cannot be reached for a while', async () => {
  await suite.survives(async (world, runId) => {
    await inTheMiddle(world, runId);
    suite.postgres.proxy.close(true);
    await delay(OUTAGE_MS);
    suite.postgres.proxy.close(false);
  });
});

it('all connections are taken by others for a while', async () => {
  await suite.survives(async (world, runId) => {
    await inTheMiddle(world, runId);
    const taken: pg.Client[] = [];
    const url = suite.postgres.direct(world.databaseUrl);
    const take = async () => {
      for (;;) {
        const client = new pg.Client({ connectionString: url });
        client.on('error', () => {});
        try {
          await client.connect();
          taken.push(client);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('53300');
          return;
        }
      }
    };
    await take();
    // Those of the service, too, once they are free.
    suite.postgres.proxy.cut();
    for (const end = performance.now() + OUTAGE_MS; performance.now() < end; await delay(50)) await take();
    await Promise.all(taken.map((client) => client.end()));
    expect(taken.length).toBeGreaterThan(50);
  });
});
