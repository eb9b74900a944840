import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEventFeed } from '../../src/adapters/database/feed.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { createFeedRunner, type FeedConsumer, type FeedRunner, type Taken } from '../../src/control/feed.ts';
import { type EventFeed, type FedEvent, keyOf } from '../../src/control/ports.ts';
import { until } from '../support/until.ts';
import { anyPrior, LOCAL, readyVersion, startWorld, type World } from './world.ts';

let world: World;
let feed: EventFeed;
let runId: string;
let runners: FeedRunner[] = [];
let warnings: Record<string, unknown>[];

beforeAll(async () => {
  world = await startWorld();
}, 60_000);
afterAll(() => world.close());
beforeEach(async () => {
  feed = createEventFeed(world);
  warnings = [];
  const version = await readyVersion(world, 'letters', [{ name: 'a', images: 100 }]);
  const prior = await anyPrior(world);
  const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 5 };
  const launched = await world.control.launchRun(LOCAL, { recipe, idempotencyKey: crypto.randomUUID() });
  runId = launched.run.id;
});
afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.close()));
  runners = [];
});

const TUNING = { pollMs: 20, backoffMs: 5, longestBackoffMs: 20, closeMs: 200 };
const log: Log = { ...silentLog, warn: (message, fields) => void warnings.push({ message, ...fields }) };

function run(...of: (EventFeed | FeedConsumer)[]): FeedRunner {
  const [through, consumers] =
    'claim' in of[0]! ? [of[0], of.slice(1) as FeedConsumer[]] : [feed, of as FeedConsumer[]];
  const runner = createFeedRunner({ feed: through, engine: world.engine, clock: systemClock, log }, consumers, TUNING);
  runners.push(runner);
  runner.start();
  return runner;
}

/** Keeps what it took; `answer` may ask for an event again. */
function consumer(name: string, answer: (event: FedEvent, signal: AbortSignal) => Promise<Taken> | Taken = () => DONE) {
  const taken: string[] = [];
  return {
    ...{ name, types: null, taken },
    async take(event: FedEvent, signal: AbortSignal): Promise<Taken> {
      const answered = await answer(event, signal);
      if (answered.kind === 'done') taken.push(`${keyOf(event)} ${event.type}`);
      return answered;
    },
  };
}

const DONE: Taken = { kind: 'done' };
const registered = (name: string) =>
  until(async () =>
    (await world.db.selectFrom('feed_consumers').select('name').execute()).some((one) => one.name === name),
  );

describe('a consumer', () => {
  it('that no service had for more than a week gets what waited for it', async () => {
    await run(consumer('unserved')).close();
    await world.engine.append(runId, 'meanwhile');
    await sql`update feed_consumers set seen_at = now() - interval '8 days' where name = 'unserved'`.execute(world.db);
    // One that is slow to serve it, and one that forgets at once.
    const slow: EventFeed = { ...feed, register: async (...of) => (await systemClock.sleep(50), feed.register(...of)) };
    const sink = consumer('unserved');
    run(slow, sink);
    await until(() => Promise.resolve(sink.taken.length > 0));
    expect(sink.taken).toEqual([expect.stringMatching(/ meanwhile$/)]);
    expect(warnings).toEqual([]);
  });

  it('takes what happens, in order, and nothing of before it began', async () => {
    await world.engine.append(runId, 'before');
    const sink = consumer('order');
    run(sink);
    await registered('order');
    await world.engine.append(runId, 'one', 'two');
    await world.engine.append(runId, 'three');
    await until(() => sink.taken.length === 3);
    expect(sink.taken).toEqual([`${runId} one`, `${runId} two`, `${runId} three`]);
    await until(async () => (await feed.waiting('order', 1)).length === 0);
  });

  it('gets again what it could not take, before what came after it, and others go on meanwhile', async () => {
    let away = true;
    const tries: string[] = [];
    const broken = consumer('away', ({ type }) => {
      tries.push(type);
      if (away) return { kind: 'later', reason: 'nobody there', afterMs: null };
      return DONE;
    });
    const sound = consumer('sound');
    run(broken, sound);
    await Promise.all([registered('away'), registered('sound')]);
    await world.engine.append(runId, 'one', 'two');
    await until(() => sound.taken.length === 2 && tries.length > 3);
    expect(new Set(tries)).toEqual(new Set(['one']));
    expect(warnings[0]).toMatchObject({ consumer: 'away', reason: 'nobody there' });
    away = false;
    await until(() => broken.taken.length === 2);
    expect(broken.taken).toEqual([`${runId} one`, `${runId} two`]);
  });

  it('waits as long as it was asked to', async () => {
    const waits: number[] = [];
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => {
        waits.push(ms);
        return systemClock.sleep(Math.min(ms, 10), signal);
      },
    };
    let asked = false;
    const sink = consumer('asked', () => {
      if (asked) return DONE;
      asked = true;
      return { kind: 'later', reason: 'too many', afterMs: 77_000 };
    });
    const runner = createFeedRunner({ feed, engine: world.engine, clock, log }, [sink], TUNING);
    runners.push(runner);
    runner.start();
    await registered('asked');
    await world.engine.append(runId, 'one');
    await until(() => sink.taken.length === 1);
    expect(waits).toContain(77_000);
  });

  it('is served by one service at a time, and by the next when that one stops', async () => {
    const [first, second] = [consumer('shared'), consumer('shared')];
    const runner = run(first);
    await registered('shared');
    await world.engine.append(runId, 'one');
    await until(() => first.taken.length === 1);
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 20), signal),
    };
    const next = createFeedRunner({ feed, engine: world.engine, clock, log }, [second], TUNING);
    runners.push(next);
    next.start();
    await world.engine.append(runId, 'two');
    await until(() => first.taken.length === 2);
    expect(second.taken).toEqual([]);
    await runner.close();
    await world.engine.append(runId, 'three');
    await until(() => second.taken.length === 1);
    expect(second.taken).toEqual([`${runId} three`]);
  });

  it('takes what waits before the service stops, but is not waited for long', async () => {
    const sink = consumer('stopping');
    const stuck = consumer('stuck', (_event, signal) => {
      const { promise, resolve } = Promise.withResolvers<Taken>();
      signal.addEventListener('abort', () => resolve({ kind: 'later', reason: 'stopped', afterMs: null }));
      return promise;
    });
    const runner = run(sink, stuck);
    await Promise.all([registered('stopping'), registered('stuck')]);
    await world.engine.append(runId, 'last');
    await runner.close();
    expect(sink.taken).toEqual([`${runId} last`]);
    expect(await feed.waiting('stuck', 9)).toHaveLength(1);
  });

  it('that throws gets the event again', async () => {
    let thrown = 0;
    const sink = consumer('throws', () => {
      if (thrown++ < 2) throw new Error('unforeseen');
      return DONE;
    });
    run(sink);
    await registered('throws');
    await world.engine.append(runId, 'one');
    await until(() => sink.taken.length === 1);
    expect(warnings).toContainEqual(expect.objectContaining({ consumer: 'throws', reason: 'unforeseen' }));
  });
});
