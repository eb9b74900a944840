import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import {
  CoreV1Api,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type KubeConfig,
  type V1Pod,
  type V1PodStatus,
} from '@kubernetes/client-node';
import { until } from '../until.ts';
import { type PodProcess, startPodProcess } from './pod-process.ts';

/**
 * Scheduler and kubelet of one node, as far as Jobs need them: binds pods, carries their command out as a process, keeps
 * their status, ends them when they are deleted, serves their logs.
 */
export interface NodeAgent {
  /** Why a pod fits no node; null: it does. Asked again until it fits. */
  unschedulable: (pod: V1Pod) => string | null;
  /** Whether the image of a pod can be had. */
  hasImage: (pod: V1Pod) => boolean;
  /** Pods at once. */
  slots: number;
  /** Names of the pods whose process runs. */
  running(): string[];
  /** As the kernel does it when a container has used up its memory. */
  killForMemory(pod: string): void;
  /** Bound so far. */
  started: number;
  mostAtOnce: number;
  stop(): Promise<void>;
}

const NODE = 'test-node';
const RETRY_MS = 100;

export async function startNodeAgent(
  config: KubeConfig,
  namespace: string,
  certificate: { cert: string; key: string },
): Promise<NodeAgent> {
  const core = config.makeApiClient(CoreV1Api);
  const known = new Map<string, V1Pod>();
  /** By uid: null while it is being bound or its image is being pulled. */
  const processes = new Map<string, PodProcess | null>();
  const killedFor = new Map<string, string>();
  const bound = new Set<string>();
  const finished = new Set<string>();
  let stopped = false;

  const kubelet = createServer(certificate, (request, response) => {
    const [, kind, , name] = new URL(request.url!, 'https://node').pathname.split('/');
    const pod = [...known.values()].find((of) => of.metadata!.name === name);
    const lines = kind === 'containerLogs' && pod ? (processes.get(pod.metadata!.uid!)?.lines() ?? []) : [];
    const tail = Number(new URL(request.url!, 'https://node').searchParams.get('tailLines') ?? lines.length);
    response.end(
      lines
        .slice(-tail)
        .map((line) => `${line}\n`)
        .join(''),
    );
  });
  await new Promise<void>((listening) => kubelet.listen(0, '127.0.0.1', listening));
  await register(core, (kubelet.address() as AddressInfo).port);

  const agent: NodeAgent = {
    unschedulable: () => null,
    hasImage: () => true,
    slots: 4,
    started: 0,
    mostAtOnce: 0,
    running: () =>
      [...known.values()]
        .filter(({ metadata }) => processes.get(metadata!.uid!) && !finished.has(metadata!.uid!))
        .map(nameOf),
    killForMemory(name) {
      const uid = [...known.values()].find((pod) => nameOf(pod) === name)!.metadata!.uid!;
      killedFor.set(uid, 'OOMKilled');
      processes.get(uid)!.kill('SIGKILL');
    },
    async stop() {
      stopped = true;
      await informer.stop();
      for (const process of processes.values()) process?.kill('SIGKILL');
      for (const process of processes.values()) await process?.ended;
      await new Promise((closed) => kubelet.close(closed));
    },
  };

  /** Level-triggered: called again and again until there is nothing left to do. */
  async function tend(pod: V1Pod): Promise<void> {
    const uid = pod.metadata!.uid!;
    if (pod.metadata!.deletionTimestamp) return end(pod);
    if (!pod.spec!.nodeName) return bind(pod);
    if (pod.spec!.nodeName !== NODE || processes.has(uid) || finished.has(uid)) return;
    if (!agent.hasImage(pod)) {
      const waiting = { reason: 'ErrImagePull', message: `no such image: ${pod.spec!.containers[0]!.image}` };
      if (pod.status?.containerStatuses?.[0]?.state?.waiting) return;
      return setStatus(pod, {
        phase: 'Pending',
        startTime: new Date(),
        containerStatuses: [statusOf(pod, { waiting })],
      });
    }
    processes.set(uid, null);
    const process = await startPodProcess(core, pod);
    processes.set(uid, process);
    agent.mostAtOnce = Math.max(agent.mostAtOnce, agent.running().length);
    const deadline = pod.spec!.activeDeadlineSeconds;
    const timer =
      deadline === undefined
        ? undefined
        : setTimeout(() => {
            killedFor.set(uid, 'DeadlineExceeded');
            process.kill('SIGKILL');
          }, deadline * 1000);
    const running = { running: { startedAt: process.startedAt } };
    await setStatus(pod, {
      phase: 'Running',
      startTime: process.startedAt,
      containerStatuses: [statusOf(pod, running)],
    });
    const { exitCode, message, finishedAt } = await process.ended;
    clearTimeout(timer);
    finished.add(uid);
    if (stopped) return;
    const why = killedFor.get(uid);
    const reason = why === 'OOMKilled' ? why : exitCode === 0 ? 'Completed' : 'Error';
    const { startedAt } = process;
    const terminated = { exitCode, reason, startedAt, finishedAt, ...(message && { message }) };
    await setStatus(pod, {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      ...(why === 'DeadlineExceeded' && {
        reason: why,
        message: 'Pod was active on the node longer than the deadline',
      }),
      containerStatuses: [statusOf(pod, { terminated })],
    });
    soon(pod);
  }

  async function bind(pod: V1Pod): Promise<void> {
    const uid = pod.metadata!.uid!;
    const reason = agent.unschedulable(pod);
    if (reason !== null) {
      const there = pod.status?.conditions?.find((of) => of.type === 'PodScheduled');
      if (there?.message === reason) return later(pod);
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: reason };
      await setStatus(pod, { conditions: [{ ...condition, lastTransitionTime: new Date() }] });
      return later(pod);
    }
    const busy = [...bound].filter((of) => !finished.has(of) && known.has(of)).length;
    if (busy >= agent.slots) return later(pod);
    if (bound.has(uid)) return;
    bound.add(uid);
    agent.started++;
    const target = { apiVersion: 'v1', kind: 'Node', name: NODE };
    const metadata = { name: nameOf(pod), uid };
    await core
      .createNamespacedPodBinding({ namespace, name: nameOf(pod), body: { metadata, target } })
      .catch((error: unknown) => {
        bound.delete(uid);
        throw error;
      });
  }

  /** Asks the process to stop, tells how it ended, and takes the pod away. */
  async function end(pod: V1Pod): Promise<void> {
    const uid = pod.metadata!.uid!;
    const process = processes.get(uid);
    if (process === null) return later(pod);
    if (process && !finished.has(uid)) {
      if (killedFor.has(uid)) return;
      killedFor.set(uid, 'deleted');
      process.kill('SIGTERM');
      const graceMs = 1000 * (pod.metadata!.deletionGracePeriodSeconds ?? 30);
      const timer = setTimeout(() => process.kill('SIGKILL'), graceMs);
      void process.ended.then(() => clearTimeout(timer));
      return;
    }
    if (!process && pod.status?.phase !== 'Failed' && pod.spec!.nodeName) await setStatus(pod, { phase: 'Failed' });
    if (process && !['Succeeded', 'Failed'].includes(known.get(uid)?.status?.phase ?? '')) return later(pod);
    await core
      .deleteNamespacedPod({
        namespace,
        name: nameOf(pod),
        body: { gracePeriodSeconds: 0, preconditions: { uid } },
      })
      .catch(() => {});
  }

  async function setStatus(pod: V1Pod, status: V1PodStatus): Promise<void> {
    const merge = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);
    const body = { metadata: { uid: pod.metadata!.uid }, status };
    while (!stopped) {
      try {
        await core.patchNamespacedPodStatus({ namespace, name: nameOf(pod), body }, merge);
        return;
      } catch (error) {
        // Gone, or replaced by another of its name: nobody is left to tell. Anything else passes.
        if ([404, 409].includes((error as { code?: number }).code ?? 0)) return;
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    }
  }

  function soon(pod: V1Pod): void {
    const latest = known.get(pod.metadata!.uid!);
    if (stopped || !latest) return;
    tend(latest).catch(() => later(pod));
  }

  function later(pod: V1Pod): void {
    if (!stopped) setTimeout(() => soon(pod), RETRY_MS).unref();
  }

  const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, () =>
    core.listNamespacedPod({ namespace }),
  );
  informer.on('add', (pod) => void (known.set(pod.metadata!.uid!, pod), soon(pod)));
  informer.on('update', (pod) => void (known.set(pod.metadata!.uid!, pod), soon(pod)));
  informer.on('delete', (pod) => {
    const uid = pod.metadata!.uid!;
    known.delete(uid);
    processes.get(uid)?.kill('SIGKILL');
  });
  informer.on(
    'error',
    () => void setTimeout(() => !stopped && void informer.start().catch(() => {}), RETRY_MS).unref(),
  );
  await until(() => informer.start().then(() => true), 'the node to see its pods');
  return agent;
}

function statusOf(pod: V1Pod, state: NonNullable<V1PodStatus['containerStatuses']>[number]['state']) {
  const { name, image } = pod.spec!.containers[0]!;
  return { name, image: image!, imageID: '', ready: Boolean(state?.running), restartCount: 0, state };
}

function nameOf(pod: V1Pod): string {
  return pod.metadata!.name!;
}

async function register(core: CoreV1Api, port: number): Promise<void> {
  await core.createNode({ body: { metadata: { name: NODE } } }).catch((error: { code?: number }) => {
    if (error.code !== 409) throw error as Error;
  });
  const capacity = { cpu: '64', memory: '256Gi', pods: '1000', 'nvidia.com/gpu': '8' };
  const body = {
    status: {
      capacity,
      allocatable: capacity,
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
    },
  };
  await core.patchNodeStatus({ name: NODE, body }, setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch));
}
