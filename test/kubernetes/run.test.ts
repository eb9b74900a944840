import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatchV1Api, CoreV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow, type RunEventRow, runOf } from '../support/api-steps.ts';
import { digests, launchGlyphs } from '../support/glyph-run.ts';
import { freePort } from '../support/free-port.ts';
import { findBinaries } from '../support/kube/binaries.ts';
import { type ControlPlane, startControlPlane } from '../support/kube/control-plane.ts';
import { type NodeAgent, startNodeAgent } from '../support/kube/node-agent.ts';
import { environmentOf, goMissing, startS3Server, type S3Server } from '../support/s3-server.ts';
import { ROOT, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const binaries = await findBinaries();
const NAMESPACE = 'runs';

describe.skipIf(!binaries || goMissing)('a service whose executor is a cluster', () => {
  let plane: ControlPlane;
  let s3: S3Server;
  let node: NodeAgent;
  let folder: string;
  let environment: Record<string, string>;
  let core: CoreV1Api;
  let undisturbed: string[];
  const services: ServiceProcess[] = [];

  beforeAll(async () => {
    [plane, s3, folder] = await Promise.all([
      startControlPlane(binaries!),
      startS3Server(),
      mkdtemp(join(tmpdir(), 'pushforward-e2e-')),
    ]);
    core = plane.admin.makeApiClient(CoreV1Api);
    const { kubeconfig } = await plane.namespace(NAMESPACE);
    node = await startNodeAgent(plane.admin, NAMESPACE, await plane.certificate());
    node.slots = 2;
    await core.createNamespacedSecret({
      namespace: NAMESPACE,
      body: { metadata: { name: 'store' }, stringData: environmentOf(s3.owner) },
    });
    const classes = {
      default: 'cpu',
      stages: { decode: 'gpu' },
      classes: {
        cpu: { priceUsdPerHour: 1 },
        gpu: { priceUsdPerHour: 100, resources: { limits: { 'nvidia.com/gpu': 1 } } },
      },
      worker: { command: [process.execPath, join(ROOT, 'dist/worker.js')], envFromSecrets: ['store'] },
    };
    await writeFile(join(folder, 'classes.json'), JSON.stringify(classes));
    environment = {
      ...environmentOf(s3.owner),
      PUSHFORWARD_S3_ENDPOINT: s3.endpoint,
      PUSHFORWARD_EXECUTOR: 'kubernetes',
      PUSHFORWARD_KUBERNETES_NAMESPACE: NAMESPACE,
      PUSHFORWARD_KUBERNETES_IMAGE: 'worker:test',
      PUSHFORWARD_EXECUTOR_CLASSES: join(folder, 'classes.json'),
      KUBECONFIG: kubeconfig,
    };
    const local = await serve('local', { PUSHFORWARD_EXECUTOR: 'local' });
    const runId = await launchGlyphs(local);
    await follow(local.client, runId);
    undisturbed = await digests(local, runId);
    await local.end();
  });

  afterAll(async () => {
    for (const service of services) await service.end('SIGKILL');
    await node.stop();
    await Promise.all([plane.stop(), s3.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** A service with a bucket and a database of its own. */
  async function serve(name: string, more: Record<string, string> = {}, port = 0): Promise<ServiceProcess> {
    const PUSHFORWARD_STORE = (buckets[name] ??= `s3://${(await s3.bucket()).bucket}/all`);
    const service = await startServiceProcess(
      join(folder, name),
      { ...environment, PUSHFORWARD_STORE, PUSHFORWARD_KUBERNETES_INSTANCE: name, ...more },
      port,
    );
    services.push(service);
    return service;
  }
  const buckets: Record<string, string> = {};

  async function nothingLeft(): Promise<void> {
    const batch = plane.admin.makeApiClient(BatchV1Api);
    const jobs = async () => (await batch.listNamespacedJob({ namespace: NAMESPACE })).items;
    await until(async () => (await jobs()).length === 0, 'every Job to be gone', 60_000).catch(
      async (error: unknown) => {
        throw new Error(JSON.stringify([await jobs(), node.running()]), { cause: error });
      },
    );
    await until(
      async () => (await core.listNamespacedPod({ namespace: NAMESPACE })).items.length === 0,
      'every pod to go',
    );
    expect(node.running()).toEqual([]);
  }

  const of = (events: RunEventRow[], type: string) => events.filter((event) => event.type === type);

  it('makes the same bytes as child processes do, tells its progress, and charges by executor class', async () => {
    const port = await freePort();
    const service = await serve('quiet', {
      PUSHFORWARD_CALLBACK_URL: `http://127.0.0.1:${port}`,
      PUSHFORWARD_PROBE_PORT: String(port),
    });
    const runId = await launchGlyphs(service);
    const events = await follow(service.client, runId);
    expect(events.at(-1)!.type).toBe('run.succeeded');
    expect(await digests(service, runId)).toEqual(undisturbed);
    expect(of(events, 'attempt.failed')).toEqual([]);
    expect(of(events, 'stage.progress').some(({ payload }) => 'waiting' in payload)).toBe(true);
    const { stages } = await runOf(service.client, runId);
    for (const stage of stages.filter(({ tasksTotal }) => tasksTotal > 0)) {
      const [succeeded] = of(events, 'stage.succeeded').filter(({ payload }) => payload['stage'] === stage.name);
      const tasks = of(events, 'task.succeeded').filter(({ payload }) => payload['stage'] === stage.name);
      const seconds = tasks.reduce((sum, { payload }) => sum + (payload['seconds'] as number), 0);
      expect(succeeded!.payload['costUsd']).toBeCloseTo((seconds * (stage.name === 'decode' ? 100 : 1)) / 3600, 6);
    }
    await nothingLeft();
    expect(await service.end()).toBe(0);
  });

  it('makes the same bytes while pods are killed, evicted and deleted, the service dies and the API server restarts', async () => {
    let service = await serve('stormy', { PUSHFORWARD_MAX_ATTEMPTS: '10' });
    const runId = await launchGlyphs(service);
    const running = () => until(() => node.running()[0], 'a pod to run', 60_000);
    const seen: RunEventRow[] = [];
    void follow(service.client, runId, (event) => seen.push(event)).catch(() => {});
    node.killForMemory(await running());
    await until(() => of(seen, 'attempt.failed').length > 0, 'the failure to be recorded', 60_000);
    const evicted = await running();
    await core
      .createNamespacedPodEviction({ namespace: NAMESPACE, name: evicted, body: { metadata: { name: evicted } } })
      .catch(() => {});
    await running();
    process.kill(service.pid, 'SIGKILL');
    await service.end('SIGKILL');
    service = await serve('stormy', { PUSHFORWARD_MAX_ATTEMPTS: '10' });
    await core.deleteNamespacedPod({ namespace: NAMESPACE, name: await running() }).catch(() => {});
    await plane.stopApiServer();
    await plane.startApiServer();
    const events = await follow(service.client, runId);
    expect(events.at(-1)!.type).toBe('run.succeeded');
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
    expect(JSON.stringify(of(events, 'attempt.failed'))).toContain('"class":"outOfMemory"');
    expect(of(events, 'task.succeeded').length).toBe(
      new Set(of(events, 'task.succeeded').map((e) => e.payload['taskId'])).size,
    );
    expect(await digests(service, runId)).toEqual(undisturbed);
    await nothingLeft();
    expect(await service.end()).toBe(0);
  });

  it('leaves nothing in the cluster of a run that is cancelled', async () => {
    const service = await serve('cancelled');
    const runId = await launchGlyphs(service);
    await until(() => node.running()[0], 'a pod to run', 60_000);
    await service.client.send('CancelRun', { id: runId });
    const events = await follow(service.client, runId);
    expect(events.at(-1)!.type).toBe('run.cancelled');
    expect(of(events, 'run.resourcesUnconfirmed')).toEqual([]);
    expect(node.running()).toEqual([]);
    await nothingLeft();
    expect(await service.end()).toBe(0);
  });

  it('does not start with settings that do not go together, or where the cluster refuses it', async () => {
    const wrong = startServiceProcess(join(folder, 'wrong'), { ...environment, PUSHFORWARD_STORE: 'directory' });
    await expect(wrong).rejects.toThrow(/expected PUSHFORWARD_STORE to be s3:.*which pods cannot reach: name a bucket/);
    const forbidden = serve('forbidden', { PUSHFORWARD_KUBERNETES_NAMESPACE: 'default' });
    await expect(forbidden).rejects.toThrow(/cannot list resource .*role in the Helm chart/);
  });
});
