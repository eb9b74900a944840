/** Which executors a service has. Part of `service.ts`, which wires everything else. */
import { fileURLToPath } from 'node:url';
import {
  createKubernetesExecutor,
  instanceSelector,
  type KubernetesExecutor,
  openCluster,
  type ProgressReport,
  readExecutorClasses,
} from './adapters/kubernetes/index.ts';
import { createLocalExecutor } from './adapters/processes/local-executor.ts';
import { systemClock } from './base/clock.ts';
import { invalid } from './base/errors.ts';
import { type Log } from './base/log.ts';
import { type Config } from './config.ts';
import { type Executor, type Publications } from './engine/ports.ts';
import { type ObjectStore } from './pipeline/ports.ts';

export interface Executors {
  /** New attempts go to the first. */
  all: readonly [Executor, ...Executor[]];
  /** Names of the classes that a recipe may ask for. */
  classes: readonly string[];
  /** What workers tell that are no children of the service. */
  progress?: Pick<KubernetesExecutor, 'reportProgress' | 'takeProgress'>;
}

export interface ExecutorsContext {
  store: ObjectStore;
  publications: Publications;
  secret: string;
  /** Hands on progress that reached this replica and is for another. */
  forward: (report: ProgressReport) => void;
  log: Log;
}

/** @throws INVALID_INPUT for settings that do not go together; FORBIDDEN or NOT_FOUND where the cluster refuses them */
export async function openExecutors(config: Config, context: ExecutorsContext): Promise<Executors> {
  const { log } = context;
  const local = createLocalExecutor({
    slots: config.local.slots,
    priceUsdPerHour: config.local.priceUsdPerHour,
    workerPath: fileURLToPath(new URL('./worker.js', import.meta.url)),
    env: { ...config.childEnvironment, PUSHFORWARD_STATE_DIR: config.stateDir },
    log,
    goneElsewhereAfterMs: config.lease.durationMs + config.releaseDeadlineMs,
    killAfterMs: 5_000,
  });
  if (config.executor === 'local') return { all: [local], classes: [] };

  const { kubernetes } = config;
  checkSettings(config);
  const classes = readExecutorClasses(kubernetes.classesPath);
  const { kubeconfig, namespace, instance, image, workerEnv, callbackUrl } = kubernetes;
  const cluster = createKubernetesExecutor({
    cluster: openCluster({ kubeconfig, namespace, selector: instanceSelector(instance) }),
    ...{ classes, instance, image, workerEnv, callbackUrl, log },
    ...{ store: context.store, publications: context.publications, secret: context.secret },
    forward: context.forward,
    clock: systemClock,
  });
  // A cluster that does not answer yet is waited for; one that refuses the service is told of now.
  const refusal = await Promise.race([
    cluster.ready.then(() => null),
    systemClock.sleep(ANSWER_MS).then(() => null),
  ]).catch((error: unknown) => error);
  if (refusal) {
    await cluster.close();
    throw refusal;
  }
  // Attempts that were begun by children of an earlier service are still asked about.
  return { all: [cluster, local], classes: classes.names, progress: cluster };
}

const ANSWER_MS = 10_000;

function checkSettings({ store, probePort, kubernetes: { classesPath, image, callbackUrl } }: Config): void {
  if (callbackUrl !== null && probePort === null) {
    throw invalid(
      'expected PUSHFORWARD_PROBE_PORT with PUSHFORWARD_CALLBACK_URL, got none: progress is taken on that port, set it',
    );
  }
  if (store.kind !== 's3') {
    throw invalid(
      'expected PUSHFORWARD_STORE to be s3://bucket/prefix with PUSHFORWARD_EXECUTOR=kubernetes, got a directory, which pods cannot reach: name a bucket',
    );
  }
  if (classesPath === '' || image === '') {
    const missing = classesPath === '' ? 'PUSHFORWARD_EXECUTOR_CLASSES' : 'PUSHFORWARD_KUBERNETES_IMAGE';
    throw invalid(`expected ${missing} with PUSHFORWARD_EXECUTOR=kubernetes, got none: set it`);
  }
}
