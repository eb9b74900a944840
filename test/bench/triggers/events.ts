/** Events that are sent again and again, as senders and queues do, through signature, Postgres and feed: what triggers make of them. */
import { Webhook } from 'standardwebhooks';
import { sql } from 'kysely';
import { newId } from '../../../src/base/ids.ts';
import { anyPrior, LOCAL, readyVersion, startWorld, type World } from '../../control/world.ts';
import { launch, make, replay, source, taken } from '../../control/triggers/rules.ts';
import { type BenchCase } from '../bench.ts';

const EVENTS = 10_000;
const SENT = 10;
/** One event of so many launches a run. */
const LAUNCHING = 100;
const SENDERS = 16;
/** For what still waits once all is sent. */
const LIMIT_MS = 600_000;

const NAMES = { evaluations: `evaluations of ${EVENTS} events, each sent ${SENT} times`, runs: 'runs of these' };

export async function* eventCases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  if (!Object.values(NAMES).some(wanted)) return;
  const world = await startWorld();
  try {
    const seconds = await send(world);
    const began = performance.now();
    await replay(world);
    await taken(world, LIMIT_MS);
    const replaySeconds = (performance.now() - began) / 1000;
    const { rows } = await sql<{ evaluations: number; runs: number; launched: number }>`
      select (select count(*)::int from trigger_evaluations) as evaluations, (select count(*)::int from runs) as runs,
        (select count(distinct launched_run_id)::int from trigger_evaluations) as launched`.execute(world.db);
    const { evaluations, runs, launched } = rows[0]!;
    const of = { unit: 'count', target: 1, sent: EVENTS * SENT, sendSeconds: seconds, replaySeconds };
    yield { case: NAMES.evaluations, ours: evaluations, peers: { asked: EVENTS }, ...of };
    yield { case: NAMES.runs, ours: runs, peers: { asked: EVENTS / LAUNCHING }, launched, ...of };
  } finally {
    await world.close();
  }
}

/** All events ten times over, out of order, until nothing waits. @returns seconds */
async function send(world: World): Promise<number> {
  const { id: datasetVersionId } = await readyVersion(world, 'letters', [{ name: 'cat', images: 100 }]);
  const { id: priorId } = await anyPrior(world);
  const { eventSource, secret } = await world.control.createEventSource(LOCAL, 'sender');
  await make(world, {
    source: source('EVENT', { eventSourceId: eventSource.id }),
    condition: `event.data.number % ${LAUNCHING} == 0`,
    action: launch({ datasetVersionId, priorId, imagesPerClass: 2, seed: '{{event.data.number}}' }),
  });
  const signer = new Webhook(secret);
  const one = async (turn: number) => {
    // A stride that is prime to the number of events: each of them once in every round, far from its neighbours.
    const number = (turn * 7919 + Math.floor(turn / EVENTS) * 31) % EVENTS;
    const event = { specversion: '1.0', id: `event ${number}`, source: '/bench', type: 'bench', data: { number } };
    const [body, id, at] = [JSON.stringify(event), newId('msg'), new Date()];
    await world.control.receiveEvent(eventSource.id, body, {
      ...{ 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)) },
      'webhook-signature': signer.sign(id, at, body),
    });
  };
  const began = performance.now();
  let next = 0;
  const sender = async () => {
    while (next < EVENTS * SENT) await one(next++);
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  await taken(world, LIMIT_MS);
  return (performance.now() - began) / 1000;
}
