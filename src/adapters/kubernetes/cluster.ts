import { existsSync } from 'node:fs';
import {
  ApiException,
  BatchV1Api,
  type ConfigurationOptions,
  CoreV1Api,
  KubeConfig,
  Observable,
  type V1Job,
  type V1Pod,
  Watch,
} from '@kubernetes/client-node';
import { type ErrorCode, PushforwardError } from '../../base/errors.ts';
import { CONTAINER } from './names.ts';

/** What the executor asks of the API server. Errors are ours; what a deletion does not find is deleted. */
export interface Cluster {
  createJob(job: V1Job): Promise<V1Job>;
  readJob(name: string): Promise<V1Job>;
  /** The Job goes once its pods are gone. */
  deleteJob(name: string): Promise<void>;
  deletePod(name: string): Promise<void>;
  lastLogLines(pod: string): Promise<string[]>;
  readonly jobs: Listed<V1Job>;
  readonly pods: Listed<V1Pod>;
}

/** Objects of one kind that bear the labels of this service. */
export interface Listed<T> {
  list(): Promise<{ items: T[]; resourceVersion: string }>;
  /**
   * Follows what changes from a version on, until the server ends it (it does after some minutes), the version is too old,
   * or the signal aborts. Rejects with CLUSTER_UNAVAILABLE if it did not begin or broke.
   */
  watch(resourceVersion: string, onEvent: (event: WatchEvent<T>) => void, signal: AbortSignal): Promise<void>;
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface ClusterSettings {
  /** Path of a kubeconfig; null: the service account of the pod that this runs in. */
  kubeconfig: string | null;
  namespace: string;
  /** `label=value,...` */
  selector: string;
}

const REQUEST_MS = 30_000;
const LOG_MS = 5_000;
const LOG_LINES = 50;
const LOG_BYTES = 65_536;
const WATCH_SECONDS = 240;
const LIST_PAGE = 500;

/** @throws INVALID_INPUT where there is neither a kubeconfig nor a service account */
export function openCluster({ kubeconfig, namespace, selector }: ClusterSettings): Cluster {
  const config = configOf(kubeconfig);
  const batch = config.makeApiClient(BatchV1Api);
  const core = config.makeApiClient(CoreV1Api);
  const about = { namespace };

  function listed<T extends V1Job | V1Pod>(
    path: string,
    page: (query: { labelSelector: string; limit: number; _continue?: string }) => Promise<{
      items: T[];
      metadata?: { resourceVersion?: string; _continue?: string };
    }>,
  ): Listed<T> {
    return {
      list: () =>
        asking('list', about, async () => {
          const items: T[] = [];
          for (let next: string | undefined; ;) {
            const found = await page({ labelSelector: selector, limit: LIST_PAGE, ...(next && { _continue: next }) });
            items.push(...found.items);
            next = found.metadata?._continue;
            if (!next) return { items, resourceVersion: found.metadata?.resourceVersion ?? '' };
          }
        }),
      watch: (resourceVersion, onEvent, signal) => watch(config, path, { selector, resourceVersion, onEvent, signal }),
    };
  }

  return {
    createJob: (body) =>
      asking('create a Job', about, () => batch.createNamespacedJob({ namespace, body }, within(REQUEST_MS))),
    readJob: (name) =>
      asking('read a Job', about, () => batch.readNamespacedJob({ namespace, name }, within(REQUEST_MS))),
    deleteJob: (name) =>
      unlessGone(
        asking('delete a Job', about, () =>
          batch.deleteNamespacedJob({ namespace, name, propagationPolicy: 'Foreground' }, within(REQUEST_MS)),
        ),
      ),
    deletePod: (name) =>
      unlessGone(
        asking('delete a pod', about, () => core.deleteNamespacedPod({ namespace, name }, within(REQUEST_MS))),
      ),
    async lastLogLines(name) {
      const query = { namespace, name, container: CONTAINER, tailLines: LOG_LINES, limitBytes: LOG_BYTES };
      const text = await asking('read a log', about, () => core.readNamespacedPodLog(query, within(LOG_MS)));
      return text.split('\n').filter((line) => line !== '');
    },
    jobs: listed<V1Job>(`/apis/batch/v1/namespaces/${namespace}/jobs`, (query) =>
      batch.listNamespacedJob({ namespace, ...query }, within(REQUEST_MS)),
    ),
    pods: listed<V1Pod>(`/api/v1/namespaces/${namespace}/pods`, (query) =>
      core.listNamespacedPod({ namespace, ...query }, within(REQUEST_MS)),
    ),
  };
}

function configOf(path: string | null): KubeConfig {
  const config = new KubeConfig();
  try {
    if (path !== null) config.loadFromFile(path);
    else if (existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token')) config.loadFromCluster();
    else throw new Error('neither');
    return config;
  } catch (cause) {
    throw new PushforwardError(
      'INVALID_INPUT',
      path === null
        ? 'expected KUBECONFIG or the service account of a pod, got neither: set KUBECONFIG, or run the service in the cluster'
        : `expected a kubeconfig at ${path}, got ${(cause as Error).message}: correct KUBECONFIG`,
      {},
      { cause },
    );
  }
}

async function watch<T>(
  config: KubeConfig,
  path: string,
  of: {
    selector: string;
    resourceVersion: string;
    onEvent: (event: WatchEvent<T>) => void;
    signal: AbortSignal;
  },
): Promise<void> {
  const { selector, resourceVersion, onEvent, signal } = of;
  const query = {
    labelSelector: selector,
    resourceVersion,
    allowWatchBookmarks: true,
    timeoutSeconds: WATCH_SECONDS,
  };
  const ended = Promise.withResolvers<void>();
  const request = await new Watch(config).watch(
    path,
    query,
    (type, object: T) => {
      // Mostly that the version is too old: what there is is listed anew.
      if (type === 'ERROR') ended.resolve();
      else onEvent({ type: type as WatchEvent<T>['type'], object });
    },
    (error: unknown) => {
      // A connection on which nothing came for half a minute may be dead, and is given up by the client.
      if (error && !signal.aborted && (error as Error).name !== 'TimeoutError') {
        ended.reject(errorOf('watch', path, error));
      } else ended.resolve();
    },
  );
  const stop = () => {
    ended.resolve();
    request.abort();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await ended.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    request.abort();
  }
}

/** The client waits for ever unless told otherwise. */
function within(ms: number): ConfigurationOptions {
  return {
    middleware: [
      {
        pre(context) {
          context.setSignal(AbortSignal.timeout(ms));
          return new Observable(Promise.resolve(context));
        },
        post: (context) => new Observable(Promise.resolve(context)),
      },
    ],
    middlewareMergeStrategy: 'append',
  };
}

async function asking<T>(what: string, { namespace }: { namespace: string }, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw errorOf(what, `namespace ${namespace}`, error);
  }
}

async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  await deletion.catch((error: unknown) => {
    if (!(error instanceof PushforwardError && error.code === 'NOT_FOUND')) throw error;
  });
}

const REFUSALS: Record<number, { code: ErrorCode; remedy: string }> = {
  400: { code: 'INVALID_INPUT', remedy: 'correct the executor class' },
  401: { code: 'FORBIDDEN', remedy: 'give the service credentials that the cluster knows' },
  403: {
    code: 'FORBIDDEN',
    remedy: "allow the service's account what its role in the Helm chart has, and check quotas",
  },
  404: { code: 'NOT_FOUND', remedy: 'check PUSHFORWARD_KUBERNETES_NAMESPACE' },
  409: { code: 'ALREADY_EXISTS', remedy: 'use another name' },
  422: { code: 'INVALID_INPUT', remedy: 'correct the executor class' },
};

/** What the API server answered, or that it did not, as one of our errors. */
function errorOf(what: string, where: string, error: unknown): PushforwardError {
  const status = error instanceof ApiException ? error.code : (error as { statusCode?: number }).statusCode;
  const away = { code: 'CLUSTER_UNAVAILABLE', remedy: 'it is tried again' } as const;
  const unforeseen = { code: 'INTERNAL', remedy: 'this is a fault of the service' } as const;
  const refusal = status === undefined ? (isOfNetwork(error) ? away : unforeseen) : REFUSALS[status];
  // Any other conflict is of objects that change at the same time, a quota for example.
  const passes = status === 409 && statusOf(error).reason !== 'AlreadyExists';
  const { code, remedy } = passes ? away : (refusal ?? away);
  return new PushforwardError(
    code,
    `expected to ${what} in ${where}, got ${described(error)}: ${remedy}`,
    {},
    { cause: error },
  );
}

/** `fetch failed` with its cause, a connection that broke in the middle, or our own limit. */
function isOfNetwork(error: unknown): boolean {
  const { name, cause, code, message } = error as Error & { code?: unknown };
  return name === 'TimeoutError' || name === 'AbortError' || Boolean(cause ?? code) || message === 'terminated';
}

function described(error: unknown): string {
  if (error instanceof ApiException) {
    return `${error.code} ${statusOf(error).message ?? ''}`.trim();
  }
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

/** What the API server said beside the code; a proxy before it may say anything. */
function statusOf(error: unknown): { reason?: string; message?: string } {
  const body = (error as { body?: unknown }).body ?? {};
  if (typeof body !== 'string') return body;
  try {
    return { message: body, ...(JSON.parse(body) as object | null) };
  } catch {
    return { message: body };
  }
}
