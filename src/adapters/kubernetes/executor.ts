import { type V1Job, type V1Pod } from '@kubernetes/client-node';
import { type Clock } from '../../base/clock.ts';
import { PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { type Log } from '../../base/log.ts';
import {
  type Adoptee,
  type AttemptHandle,
  type Executor,
  type PricedWork,
  type Publications,
} from '../../engine/ports.ts';
import { type ExecutorClasses } from './classes.ts';
import { type Cluster } from './cluster.ts';
import { createGatherer } from './gather.ts';
import { hold, type Start } from './held.ts';
import { jobOf } from './job.ts';
import { watchJob, type JobWatch } from './job-watch.ts';
import { createLine } from './line.ts';
import { createMirror } from './mirror.ts';
import { ATTEMPTS, JOB_NAME, jobName, ORDERS, stageKey, stageOfJob } from './names.ts';
import { deleteOrders, ordersFolder, writeOrders, type OrderStore } from './orders.ts';
import { signRunToken, verifyRunToken } from './run-token.ts';
import { outcomeOf } from './settle.ts';
import { endOfJob, indexOf, isTerminal, podsOf } from './verdict.ts';

export interface KubernetesExecutorOptions {
  cluster: Cluster;
  classes: ExecutorClasses;
  /** Tells the Jobs of this service from those of another in the same namespace. */
  instance: string;
  /** The image of classes that name none. */
  image: string;
  /** What workers are told of the service's settings; nothing secret. */
  workerEnv: Readonly<Record<string, string>>;
  store: OrderStore;
  publications: Publications;
  /** Where pods reach the service; null: they cannot, and there is no progress within a task. */
  callbackUrl: string | null;
  /** Signs the tokens of runs. */
  secret: string;
  /** Hands on progress of an attempt that another replica may run; absent: there is none. */
  forward?: (report: ProgressReport) => void;
  clock: Clock;
  log: Log;
  /** Defaults suit production; tests shorten them. */
  tuning?: {
    /** Attempts of a stage that start within so long of each other share a Job; default 250. */
    gatherMs?: number;
    /** How long the cluster may be silent before its pods no longer count as alive; default 300 000. */
    silenceMs?: number;
    /** How often deadlines are looked at; default 1000. */
    tickMs?: number;
    /** How long a Job that ended is left to whoever may watch it; default 3 600 000. */
    forgottenMs?: number;
  };
}

export interface ProgressReport {
  runId: string;
  attemptId: string;
  itemsDone: number;
}

export interface KubernetesExecutor extends Executor {
  /**
   * Takes what a worker tells of its attempt, or forwards it.
   * @throws UNAUTHENTICATED; NOT_FOUND, where nothing is forwarded, for an attempt that is not of the token's run or does not run
   */
  reportProgress(token: string, attemptId: string, itemsDone: number): void;
  /** Takes what another replica forwarded, if the attempt runs here. */
  takeProgress(report: ProgressReport): boolean;
  /** Resolves once what the cluster has is known; rejects if the service is refused it. */
  readonly ready: Promise<void>;
}

/** A Job's object holds its attempts' ids, and etcd takes no more than 1.5 MB. */
const MOST_INDEXES = 2_000;
const LONGEST_GATHER = 8;
const CREATE_TRIES = 5;
const CREATE_WAIT_MS = 500;
const TOKEN_MS = 7 * 24 * 3_600_000;

/**
 * Carries out attempts as pods. Attempts of one stage that start together share an Indexed Job; one that is tried again is an
 * index of another Job, once the Jobs before leave room for it. Pods are known alive by a list and a watch, never by the workers' word. A pod that ends keeps its
 * outcome until the engine has recorded it; then its Job is deleted.
 */
export function createKubernetesExecutor(options: KubernetesExecutorOptions): KubernetesExecutor {
  const { cluster, classes, instance, image, workerEnv, store, publications, secret, clock, log } = options;
  const { gatherMs = 250, silenceMs = 300_000, tickMs = 1_000, forgottenMs = 3_600_000 } = options.tuning ?? {};
  const watches = new Map<string, JobWatch>();
  /** Jobs whose creation was given up without an answer: should they appear, they go. */
  const strays = new Set<string>();
  /** Jobs whose deletion is being asked for: once, though many attempts are released together. */
  const removing = new Set<string>();
  const closing = new AbortController();
  const due = new Set<string>();

  /** Events of a Job come in bursts: it is looked at once for all of them. */
  function lookSoon(name: string): void {
    if (due.size === 0) {
      setTimeout(() => {
        const names = [...due];
        due.clear();
        for (const each of names) watches.get(each)?.look();
        line.admit();
      }, 20).unref();
    }
    due.add(name);
  }

  const about = { onChange: lookSoon, clock, log };
  const jobs = createMirror<V1Job>({
    ...about,
    name: 'Jobs',
    source: cluster.jobs,
    groupOf: (job) => job.metadata!.name!,
  });
  const pods = createMirror<V1Pod>({
    ...about,
    name: 'pods',
    source: cluster.pods,
    groupOf: jobOfPod,
    onGone: (pod) => watches.get(jobOfPod(pod))?.gone(pod),
  });
  const ready = Promise.all([jobs.listed, pods.listed]).then(() => {});
  ready.catch(() => {});
  const hears = () => Math.max(jobs.silentMs(), pods.silentMs()) < silenceMs;

  /** A stray, or one of a service that died between the last record and the deletion: what another watches is not so old. */
  function isUnwanted(job: V1Job): boolean {
    if (watches.has(job.metadata!.name!)) return false;
    const ended = endOfJob(job);
    const isForgotten = ended !== null && clock.now().getTime() - ended.getTime() > forgottenMs;
    return isForgotten || strays.has(job.metadata!.name!);
  }

  const rejectAll = (starts: readonly Start[]) => (error: unknown) => starts.forEach((start) => start.reject(error));

  const line = createLine<Start>({
    largest: MOST_INDEXES,
    podsOf: (stage) => [...jobs.all()].reduce((sum, job) => sum + (stageOfJob(job) === stage ? podsOf(job) : 0), 0),
    handOn: (starts) => launch(starts).catch(rejectAll(starts)),
    hold(start, giveUp) {
      hold(start, giveUp);
      start.observer.waiting(`its stage has as many pods as it may (${start.most})`);
    },
  });

  const gatherer = createGatherer<Start>({
    clock,
    quietMs: gatherMs,
    longestMs: gatherMs * LONGEST_GATHER,
    most: MOST_INDEXES,
    handOn(starts) {
      const { order, most } = starts[0]!;
      // What earlier services left counts too.
      void ready.then(() => line.add(stageKey(order.runId, order.task.stage), most, starts), rejectAll(starts));
    },
  });

  void (async () => {
    while (!closing.signal.aborted) {
      await clock.sleep(tickMs, closing.signal);
      for (const watch of watches.values()) watch.look();
      line.admit();
      for (const job of jobs.all()) if (isUnwanted(job)) void removeJob(job.metadata!.name!);
    }
  })();

  async function launch(starts: Start[]): Promise<void> {
    const { projectId, runId, task, execution } = starts[0]!.order;
    const attemptIds = starts.map(({ order }) => order.attemptId);
    const name = jobName({ runId, stage: task.stage, attemptIds });
    const folder = ordersFolder(projectId, name);
    const url = options.callbackUrl;
    const expiresAt = new Date(clock.now().getTime() + TOKEN_MS);
    const callback = url === null ? null : { url, token: signRunToken({ runId, expiresAt }, secret) };
    const work: PricedWork = { stage: task.stage, execution };
    const request = { name, instance, projectId, runId, work, attemptIds, ordersFolder: folder, image, classes };
    let job: V1Job;
    try {
      await writeOrders(
        store,
        folder,
        starts.map(({ order }) => ({ order, callback })),
      );
      job = await create(jobOf({ ...request, env: workerEnv }));
    } catch (error) {
      removeOrders(name, folder, attemptIds.length);
      throw error;
    }
    const watch = track(name, folder, attemptIds.length);
    const handles = starts.map(({ order, observer }, index) => watch.attach(index, order, observer));
    jobs.put(job);
    log.info('created a Job', { job: name, run: runId, stage: task.stage, attempts: attemptIds.length });
    starts.forEach((start, index) => start.resolve(handles[index]!));
  }

  /** An answer that got lost is asked for again: what is there then is ours. */
  async function create(job: V1Job): Promise<V1Job> {
    const name = job.metadata!.name!;
    for (let tries = 1; ; tries++) {
      try {
        return await cluster.createJob(job);
      } catch (error) {
        const { code } = toErrorRecord(error);
        if (code === 'ALREADY_EXISTS') return await ownJob(job);
        if (code !== 'CLUSTER_UNAVAILABLE') throw error;
        if (tries < CREATE_TRIES && !closing.signal.aborted) {
          await clock.sleep(CREATE_WAIT_MS * 2 ** tries, closing.signal);
          continue;
        }
        strays.add(name);
        throw error;
      }
    }
  }

  async function ownJob(wanted: V1Job): Promise<V1Job> {
    const there = await cluster.readJob(wanted.metadata!.name!);
    if (there.metadata?.annotations?.[ATTEMPTS] === wanted.metadata!.annotations![ATTEMPTS]) return there;
    throw new PushforwardError(
      'ALREADY_EXISTS',
      `expected no Job ${there.metadata?.name}, got one of another service: give each service in a namespace its own PUSHFORWARD_KUBERNETES_INSTANCE`,
    );
  }

  function track(name: string, folder: string, attempts: number): JobWatch {
    const watch = watchJob({
      ...{ name, cluster, jobs, pods, hears, clock, log },
      settle: (ending) => outcomeOf(ending, { cluster, publications }),
      deadlines: {
        imagePullMs: classes.imagePullMinutes * 60_000,
        unschedulableMs: classes.unschedulableMinutes * 60_000,
      },
      onDone() {
        watches.delete(name);
        removeOrders(name, folder, attempts);
      },
      onLeft: () => void watches.delete(name),
    });
    watches.set(name, watch);
    return watch;
  }

  /** A Job that no watch of ours is over. What fails is tried again when it is next looked at. */
  async function removeJob(name: string): Promise<void> {
    const job = jobs.get(name);
    if (!job || job.metadata!.deletionTimestamp || removing.has(name)) return;
    removing.add(name);
    try {
      await cluster.deleteJob(name);
      removeOrders(name, job.metadata?.annotations?.[ORDERS] ?? '', job.spec?.completions ?? 0);
    } catch (error) {
      log.warn('a Job could not be deleted; trying again', { job: name, error: toErrorRecord(error) });
    } finally {
      removing.delete(name);
    }
  }

  function removeOrders(job: string, folder: string, count: number): void {
    void deleteOrders(store, folder, count).catch((error: unknown) =>
      log.warn('the orders of a Job could not be deleted', { job, error: toErrorRecord(error) }),
    );
  }

  /** Where each attempt is that the cluster has a Job for, whether or not its service came to store that. */
  function places(): Map<string, { job: V1Job; index: number }> {
    const found = new Map<string, { job: V1Job; index: number }>();
    for (const job of jobs.all()) {
      const attempts = JSON.parse(job.metadata?.annotations?.[ATTEMPTS] ?? '[]') as string[];
      attempts.forEach((id, index) => found.set(id, { job, index }));
    }
    return found;
  }

  function placeOf(attemptId: string): { job?: string; index?: number } {
    const { job, index } = places().get(attemptId) ?? {};
    return job === undefined || index === undefined ? {} : { job: job.metadata!.name!, index };
  }

  /** What goes on in Jobs that are not being deleted; all of a Job before it is looked at, lest it is deleted for the first. */
  async function adopt(attempts: readonly Adoptee[]): Promise<(AttemptHandle | null)[]> {
    await ready;
    const there = places();
    const handles = attempts.map(({ order, observer }) => {
      const { job, index } = there.get(order.attemptId) ?? {};
      if (job === undefined || index === undefined || job.metadata!.deletionTimestamp) return null;
      const name = job.metadata!.name!;
      const folder = job.metadata!.annotations?.[ORDERS] ?? '';
      const watch = watches.get(name) ?? track(name, folder, job.spec?.completions ?? 0);
      lookSoon(name);
      return watch.attach(index, order, observer);
    });
    const adopted = handles.filter((handle) => handle !== null).length;
    if (adopted > 0) log.info('adopted attempts of an earlier service', { attempts: adopted });
    return handles;
  }

  async function release(reference: JsonObject): Promise<boolean> {
    await ready;
    if (!hears()) {
      throw new PushforwardError(
        'CLUSTER_UNAVAILABLE',
        'expected the cluster to answer, got silence: it is tried again',
      );
    }
    const { job, index } = typeof reference['job'] === 'string' ? reference : placeOf(String(reference['attemptId']));
    const name = job as string | undefined;
    if (name === undefined) return true;
    const there = [...pods.group(name)];
    if (!jobs.get(name) && there.length === 0) return true;
    if (!watches.has(name)) {
      await removeJob(name);
      return false;
    }
    // Others of its Job were adopted: its own pods go.
    const own = there.filter((pod) => indexOf(pod) === index && !isTerminal(pod));
    await Promise.all(own.map(({ metadata }) => cluster.deletePod(metadata!.name!)));
    return own.length === 0;
  }

  function takeProgress({ runId, attemptId, itemsDone }: ProgressReport): boolean {
    for (const watch of watches.values()) {
      const observer = watch.observerOf(attemptId, runId);
      observer?.progress(itemsDone);
      if (observer) return true;
    }
    return false;
  }

  return {
    name: 'kubernetes',
    slots: classes.slots,
    waits: true,
    price: (work) => classes.price(work),
    ready,

    async start(order, observer) {
      const { runId, task, execution } = order;
      const most = classes.parallelismFor({ stage: task.stage, execution });
      return new Promise((resolve, reject) =>
        gatherer.add(stageKey(runId, task.stage), { order, observer, most, resolve, reject }),
      );
    },

    adopt,
    release,

    reportProgress(token, attemptId, itemsDone) {
      const { runId } = verifyRunToken(token, secret, clock.now());
      if (takeProgress({ runId, attemptId, itemsDone })) return;
      if (options.forward) return options.forward({ runId, attemptId, itemsDone });
      throw new PushforwardError('NOT_FOUND', `attempt ${attemptId} of run ${runId} does not run here`);
    },
    takeProgress,

    async close() {
      gatherer.flush();
      // What was recorded last is deleted before the process goes; the rest is there for the next.
      const limit = AbortSignal.any([closing.signal, AbortSignal.timeout(CLOSE_MS)]);
      for (const watch of watches.values()) watch.look();
      while ([...watches.values()].some((watch) => watch.isRecorded()) && !limit.aborted) await clock.sleep(50, limit);
      closing.abort();
      jobs.close();
      pods.close();
    },
  };
}

const CLOSE_MS = 5_000;

function jobOfPod({ metadata }: V1Pod): string {
  return metadata?.labels?.[JOB_NAME] ?? '';
}
