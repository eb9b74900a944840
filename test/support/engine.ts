import { type Kysely } from 'kysely';
import { createRunStore } from '../../src/adapters/database/runs.ts';
import { type Database } from '../../src/adapters/database/schema.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { fromErrorRecord, type ErrorCode } from '../../src/base/errors.ts';
import { type JsonObject } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { createEngine, type Engine, type EngineOptions, type LaunchRequest } from '../../src/engine/index.ts';
import {
  failureClassOf,
  USUAL_LAUNCH,
  type ArtifactManifest,
  type AttemptHandle,
  type AttemptOrder,
  type AttemptOutcome,
  type Executor,
  type FailureClass,
  type Planner,
  type Publications,
  type Published,
  type RunStore,
  type StagePlan,
  type Usage,
} from '../../src/engine/ports.ts';
import { seedProject, type TestDatabase } from './postgres.ts';
import { manifestOf, taskOf } from './tasks.ts';
import { until } from './until.ts';

export const USAGE: Usage = { allocatedSeconds: 10, peakMemoryBytes: 1000, bytesRead: 1, bytesWritten: 2 };

/** Two stages of two tasks, then one of one; the recipe's `seed` makes them other artifacts. */
export function fakePlanner(
  plan?: (stage: string, published: readonly Published[], recipe: JsonObject) => StagePlan,
): Planner {
  const stages = ['encode', 'quantize', 'report'];
  return {
    stages: () => stages,
    async plan({ stage, recipe, published }) {
      const before = published.get(stages[stages.indexOf(stage) - 1] ?? '') ?? [];
      if (plan) return plan(stage, before, recipe);
      const inputs = before.map(({ task }) => task.artifactId);
      const options = { seed: recipe['seed'] ?? 0 };
      const indices = stage === 'report' ? [0] : [0, 1];
      return { kind: 'tasks', tasks: indices.map((index) => taskOf({ stage, index, options, inputs })) };
    },
  };
}

export function fakePublications() {
  const published = new Map<string, ArtifactManifest>();
  /** What is wrong with what is there. */
  const damaged = new Map<string, string>();
  const port: Publications = {
    find: async (projectId, id) => published.get(`${projectId}/${id}`) ?? null,
    async verify(projectId, id) {
      const key = `${projectId}/${id}`;
      const flaw = damaged.get(key) ?? null;
      return { manifest: flaw === null ? (published.get(key) ?? null) : null, flaw };
    },
    async publish(projectId, manifest) {
      const key = `${projectId}/${manifest.id}`;
      if (!published.has(key)) published.set(key, manifest);
      damaged.delete(key);
      return published.get(key)!;
    },
  };
  return { ...port, published, damaged };
}

/** An attempt that the test has in hand. */
export interface Held {
  order: AttemptOrder;
  progress(itemsDone: number): void;
  waiting(reason: string | null): void;
  succeed(): Promise<void>;
  fail(code: ErrorCode, cls?: FailureClass): void;
  settle(outcome: AttemptOutcome): void;
  cancelled: boolean;
  silent: boolean;
  recorded: boolean;
}

/**
 * Attempts succeed at once, unless `hold` says to leave them to the test. Processes are entries of `running`: they are
 * gone when their outcome is settled or they are released.
 */
export function fakeExecutor(publications: Publications, slots = 2) {
  const starts: AttemptOrder[] = [];
  const held: Held[] = [];
  const running = new Map<string, Held>();
  const handles = new Map<string, AttemptHandle>();
  const port: Executor & {
    hold: (order: AttemptOrder) => boolean;
    obedient: boolean;
    releases: boolean;
    /** Whether attempts outlive their service, for the next to adopt. */
    adopts: boolean;
    waits?: true;
    mostAtOnce: number;
  } = {
    name: 'fake',
    price: () => ({ usdPerHour: 36, list: 'test' }),
    slots,
    /** Whether the test settles this attempt. */
    hold: () => false,
    /** Whether cancelled attempts end at once. */
    obedient: true,
    /** Whether attempts of earlier services are seen gone when asked. */
    releases: true,
    adopts: false,
    mostAtOnce: 0,
    async start(order, { progress, waiting }) {
      starts.push(order);
      let settle!: (outcome: AttemptOutcome) => void;
      const outcome = new Promise<AttemptOutcome>((resolve) => (settle = resolve));
      const one: Held = {
        order,
        progress,
        waiting,
        cancelled: false,
        silent: false,
        recorded: false,
        settle(of) {
          running.delete(order.attemptId);
          settle(of);
        },
        async succeed() {
          const manifest = await publications.publish(order.projectId, manifestOf(order.task));
          one.settle({ kind: 'succeeded', result: { manifest, metrics: { index: order.task.index }, usage: USAGE } });
        },
        fail(code, cls = failureClassOf(code)) {
          const error = fromErrorRecord({ code, message: `${code} happened` }).toRecord();
          const failure = { class: cls, error, exitCode: null, signal: null, lastLogLines: ['last words'] };
          one.settle({ kind: 'failed', failure, usage: USAGE });
        },
      };
      running.set(order.attemptId, one);
      port.mostAtOnce = Math.max(port.mostAtOnce, running.size);
      if (port.hold(order)) held.push(one);
      else void one.succeed();
      const handle: AttemptHandle = {
        reference: { process: order.attemptId },
        outcome,
        alive: () => running.has(order.attemptId) && !one.silent,
        cancel() {
          one.cancelled = true;
          if (port.obedient && running.has(order.attemptId)) one.settle({ kind: 'cancelled', usage: USAGE });
        },
        recorded() {
          one.recorded = true;
        },
        leave: () => port.adopts && running.has(order.attemptId),
      };
      handles.set(order.attemptId, handle);
      return handle;
    },
    async adopt(attempts) {
      return attempts.map(({ order, observer }) => {
        const handle = port.adopts ? (handles.get(order.attemptId) ?? null) : null;
        const one = running.get(order.attemptId);
        if (handle && one) Object.assign(one, { order, ...observer });
        return handle;
      });
    },
    async release(reference) {
      if (!port.releases) return false;
      running.delete(String(reference['process'] ?? reference['attemptId']));
      return true;
    },
    async close() {},
  };
  return Object.assign(port, { starts, held, running });
}

export type Fakes = ReturnType<typeof fakesOf>;

export function fakesOf() {
  const publications = fakePublications();
  return { publications, executor: fakeExecutor(publications) };
}

/** Where a process is killed: around the nth call that changes something. */
export interface KillPoint {
  at: 'before' | 'after';
  change: number;
}

/** An engine over a database, with what it takes to kill it: afterwards none of its calls come back. */
export async function engineOver(
  database: TestDatabase,
  fakes: Fakes = fakesOf(),
  more: Partial<EngineOptions> & { kill?: KillPoint; clock?: Clock } = {},
) {
  const { kill: killPoint, ...options } = more;
  let dead = false;
  let changes = 0;
  let release: (() => Promise<void>) | undefined;
  const never = () => new Promise<never>(() => {});
  const real = createRunStore(database);
  const died = Promise.withResolvers<void>();

  function kill() {
    if (dead) return;
    dead = true;
    // The connection of a dead process closes.
    void release?.();
    died.resolve();
  }

  async function call(name: keyof RunStore, args: unknown[]): Promise<unknown> {
    if (dead) return never();
    const counts = name === 'change' || name === 'insertRun';
    const mine = counts ? ++changes : 0;
    const here = (at: KillPoint['at']) => counts && killPoint?.at === at && killPoint.change === mine;
    if (here('before')) kill();
    if (dead) return never();
    const answer = await (real[name] as (...of: unknown[]) => Promise<unknown>)(...args);
    if (name === 'claim' && answer) release = (answer as { release(): Promise<void> }).release;
    if (here('after')) kill();
    return dead ? never() : answer;
  }
  const runs = Object.fromEntries(
    (Object.keys(real) as (keyof RunStore)[]).map((name) => [name, (...args: unknown[]) => call(name, args)]),
  ) as unknown as RunStore;
  const mortal = <T extends object>(of: T): T =>
    new Proxy(of, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => (dead ? never() : (value as (...of: unknown[]) => unknown).apply(target, args));
      },
    });

  const engine = createEngine({
    runs,
    publications: mortal(fakes.publications),
    planner: fakePlanner(),
    executors: [mortal(fakes.executor)],
    clock: systemClock,
    log: silentLog,
    ownerId: `owner_${Math.random()}`,
    lease: { durationMs: 2_000, renewEveryMs: 50 },
    maxAttempts: 3,
    releaseDeadlineMs: 10_000,
    tuning: { pollMs: 50, backoffMs: 1, progressMs: 20 },
    ...options,
  });
  return { engine, fakes, kill, died: died.promise, changes: () => changes };
}

export async function launchRequest(db: Kysely<Database>, more: Partial<LaunchRequest> = {}): Promise<LaunchRequest> {
  const projectId = more.projectId ?? 'project_1';
  const known = await db.selectFrom('projects').select('id').where('id', '=', projectId).executeTakeFirst();
  if (!known) await seedProject(db, projectId);
  return {
    projectId,
    recipe: { seed: 1, execution: { threads: 2 } },
    recipeDigest: 'digest',
    inputs: { datasetVersion: 'dataset-artifact', prior: 'prior-artifact' },
    datasetVersionId: `${projectId}_version`,
    priorId: `${projectId}_prior`,
    idempotencyKey: null,
    fingerprint: 'fingerprint',
    ...USUAL_LAUNCH,
    ...more,
  };
}

export async function launch(engine: Engine, db: Kysely<Database>, more: Partial<LaunchRequest> = {}): Promise<string> {
  const { run } = await engine.launch(await launchRequest(db, more));
  return run.id;
}

export async function stateOf(db: Kysely<Database>, runId: string): Promise<string> {
  return (await db.selectFrom('runs').select('state').where('id', '=', runId).executeTakeFirstOrThrow()).state;
}

/** @param limitMs of patience */
export async function ended(db: Kysely<Database>, runId: string, limitMs?: number): Promise<string> {
  return until(
    async () => {
      const state = await stateOf(db, runId);
      return ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(state) ? state : null;
    },
    `run ${runId} to end`,
    limitMs,
  );
}

export async function eventsOf(db: Kysely<Database>, runId: string) {
  return db.selectFrom('run_events').selectAll().where('run_id', '=', runId).orderBy('sequence').execute();
}
