import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatchV1Api, CoreV1Api, type V1Job, type V1Pod } from '@kubernetes/client-node';
import { parseExecutorClasses } from '../../../src/adapters/kubernetes/classes.ts';
import { openCluster, type Cluster } from '../../../src/adapters/kubernetes/cluster.ts';
import { createKubernetesExecutor, type KubernetesExecutor } from '../../../src/adapters/kubernetes/executor.ts';
import { instanceSelector } from '../../../src/adapters/kubernetes/names.ts';
import { openStore } from '../../../src/adapters/storage/index.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type JsonObject } from '../../../src/base/json.ts';
import { type AttemptHandle, type AttemptOrder, type AttemptOutcome } from '../../../src/engine/ports.ts';
import { createPublications } from '../../../src/pipeline/artifacts.ts';
import { taskOf } from '../tasks.ts';
import { until } from '../until.ts';
import { type ControlPlane } from './control-plane.ts';
import { startNodeAgent } from './node-agent.ts';

const WORKER = join(import.meta.dirname, 'pod-order-worker.ts');

/** An attempt and all that was told of it. */
export interface Started {
  order: AttemptOrder;
  handle: AttemptHandle;
  progress: number[];
  waits: (string | null)[];
}

/** A namespace with a node, a store, and executors over them. */
export async function makeWorld(plane: ControlPlane, name: string) {
  const { kubeconfig } = await plane.namespace(name);
  const node = await startNodeAgent(plane.admin, name, await plane.certificate());
  const root = await mkdtemp(join(tmpdir(), 'pushforward-kube-store-'));
  const store = openStore({ kind: 'directory' }, { root, signingSecret: 'secret', publicUrl: () => '' });
  const batch = plane.admin.makeApiClient(BatchV1Api);
  const core = plane.admin.makeApiClient(CoreV1Api);
  const executors: KubernetesExecutor[] = [];
  let made = 0;

  async function keysOf(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of store.list(prefix)) keys.push(key);
    return keys;
  }

  function executorOf(
    of: {
      classes?: JsonObject;
      file?: JsonObject;
      callbackUrl?: string;
      forgottenMs?: number;
      wrap?: (cluster: Cluster) => Cluster;
    } = {},
  ): KubernetesExecutor {
    const file = {
      default: 'cpu',
      classes: { cpu: { priceUsdPerHour: 3.6, parallelism: 3 }, ...of.classes },
      worker: { command: [process.execPath, WORKER], env: [{ name: 'STORE_ROOT', value: root }] },
      ...of.file,
    };
    const cluster = openCluster({ kubeconfig, namespace: name, selector: instanceSelector('pushforward') });
    const executor = createKubernetesExecutor({
      cluster: of.wrap ? of.wrap(cluster) : cluster,
      classes: parseExecutorClasses(JSON.stringify(file)),
      instance: 'pushforward',
      image: 'worker:test',
      workerEnv: {},
      store,
      publications: createPublications(store),
      callbackUrl: of.callbackUrl ?? null,
      secret: 'secret',
      clock: systemClock,
      log: silentLog,
      tuning: { gatherMs: 100, tickMs: 100, forgottenMs: of.forgottenMs ?? 3_600_000 },
    });
    executors.push(executor);
    return executor;
  }

  return {
    ...{ name, node, store, batch, core, executorOf, keysOf },

    /** Starts attempts at once; each task does what its word says. */
    async start(executor: KubernetesExecutor, what: string[], execution: JsonObject = {}): Promise<Started[]> {
      const run = ++made;
      return Promise.all(
        what.map(async (word, index) => {
          const task = taskOf({ stage: 'encode', index, options: { do: word, run, index } });
          const [progress, waits]: [number[], (string | null)[]] = [[], []];
          const attemptId = `attempt_${run}_${index}`;
          const names = { attemptId, projectId: 'project_1', runId: `run_${run}` };
          const order = { ...names, task, execution, halvings: 0, traceparent: null };
          const observer = {
            progress: (done: number) => void progress.push(done),
            waiting: (reason: string | null) => void (waits.at(-1) !== reason && waits.push(reason)),
          };
          return { order, progress, waits, handle: await executor.start(order, observer) };
        }),
      );
    },

    jobs: async (): Promise<V1Job[]> => (await batch.listNamespacedJob({ namespace: name })).items,
    pods: async (): Promise<V1Pod[]> => (await core.listNamespacedPod({ namespace: name })).items,
    /** Waits until the pod of an attempt runs, and the cluster knows; its name. */
    async podOf({ handle }: Started): Promise<string> {
      const { job, index } = handle.reference as { job: string; index: number };
      const found = await until(
        async () => {
          const { items } = await core.listNamespacedPod({ namespace: name });
          const mine = items.find((pod) => pod.metadata!.name!.startsWith(`${job}-${index}-`));
          return mine?.status?.phase === 'Running' ? mine : null;
        },
        `a pod of ${job} ${index} to run`,
        30_000,
      );
      return found.metadata!.name!;
    },
    async allow(...indexes: number[]): Promise<void> {
      for (const index of indexes) await store.put(`allowed/${index}`, new Uint8Array(1));
    },
    /** Waits until nothing is left of what ran, in the cluster and among the orders. */
    async empty(): Promise<void> {
      await until(
        async () => (await batch.listNamespacedJob({ namespace: name })).items.length === 0,
        'every Job to be gone',
        60_000,
      );
      await until(
        async () => (await core.listNamespacedPod({ namespace: name })).items.length === 0,
        'every pod to be gone',
        60_000,
      );
      await until(async () => (await keysOf('projects/project_1/orders/')).length === 0, 'the orders to go');
    },
    async stop(): Promise<void> {
      await Promise.all(executors.map((executor) => executor.close()));
      await node.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export type World = Awaited<ReturnType<typeof makeWorld>>;

export function failureOf(outcome: AttemptOutcome) {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
  return outcome.failure;
}

export async function recorded(started: readonly Started[]): Promise<AttemptOutcome[]> {
  const outcomes = await Promise.all(started.map(({ handle }) => handle.outcome));
  for (const { handle } of started) handle.recorded!();
  return outcomes;
}
