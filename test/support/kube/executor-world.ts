import { parseExecutorClasses } from '../../../src/adapters/kubernetes/classes.ts';
import { type Cluster } from '../../../src/adapters/kubernetes/cluster.ts';
import {
  createKubernetesExecutor,
  type KubernetesExecutor,
  type ProgressReport,
} from '../../../src/adapters/kubernetes/executor.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type AttemptObserver } from '../../../src/engine/ports.ts';
import { fakePublications } from '../engine.ts';
import { createMemoryStore } from '../memory-store.ts';
import { manifestOf, orderOf, taskOf } from '../tasks.ts';
import { clusterDouble } from './double.ts';

export type ExecutorWorld = ReturnType<typeof executorWorld>;

/** Executors over the double of a cluster, and three orders for them. */
export function executorWorld(of: { parallelism?: number; wrap?: (cluster: Cluster) => Cluster } = {}) {
  const executors: KubernetesExecutor[] = [];
  const kube = clusterDouble();
  const store = createMemoryStore();
  const publications = fakePublications();
  const orderOfIndex = (index: number) => orderOf(taskOf({ stage: 'encode', index }), `attempt_${index}`);
  const orders = [0, 1, 2].map(orderOfIndex);
  const cpu = { priceUsdPerHour: 1, ...(of.parallelism && { parallelism: of.parallelism }) };
  const executorOf = (forward?: (report: ProgressReport) => void) => {
    const executor = createKubernetesExecutor({
      ...{ store, publications, instance: 'one', image: 'worker', workerEnv: {} },
      cluster: of.wrap ? of.wrap(kube.cluster) : kube.cluster,
      classes: parseExecutorClasses(JSON.stringify({ default: 'cpu', classes: { cpu } })),
      ...{ callbackUrl: null, secret: 'secret', clock: systemClock, log: silentLog },
      ...(forward && { forward }),
      tuning: { gatherMs: 10, tickMs: 20 },
    });
    executors.push(executor);
    return executor;
  };
  const observer: AttemptObserver = { progress: () => {}, waiting: () => {} };
  const attemptsOf = (some = orders) => some.map((order) => ({ order, observer }));
  const succeed = async (job: string, index: number) => {
    await publications.publish('project_1', manifestOf(orders[index]!.task));
    kube.end(job, index, 0);
  };
  const start = async (executor: KubernetesExecutor, with_ = observer, some = orders) =>
    Promise.all(some.map((order) => executor.start(order, with_)));
  const ordersInStore = async () => {
    const keys: string[] = [];
    for await (const { key } of store.list('projects/project_1/orders/')) keys.push(key);
    return keys;
  };
  const close = () => Promise.all(executors.map((executor) => executor.close()));
  return { kube, orders, orderOfIndex, executorOf, attemptsOf, succeed, start, ordersInStore, close };
}
