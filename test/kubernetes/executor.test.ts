import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type V1Job } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Cluster } from '../../src/adapters/kubernetes/cluster.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { type JsonObject } from '../../src/base/json.ts';
import { findBinaries } from '../support/kube/binaries.ts';
import { type ControlPlane, startControlPlane } from '../support/kube/control-plane.ts';
import { failureOf, makeWorld, recorded, type World } from '../support/kube/world.ts';
import { until } from '../support/until.ts';

const binaries = await findBinaries();

describe.skipIf(!binaries)('attempts as indexes of Jobs', () => {
  let plane: ControlPlane;
  let world: World;
  let worlds = 0;

  beforeAll(async () => {
    plane = await startControlPlane(binaries!);
  });
  afterAll(() => plane.stop());
  beforeEach(async () => {
    world = await makeWorld(plane, `runs-${++worlds}`);
  });
  afterEach(() => world.stop());

  it('share one Job, run no more at once than their class allows, and leave nothing behind', async () => {
    const started = await world.start(world.executorOf(), Array(6).fill('succeed'), { parallelism: 2 });
    expect(await world.jobs()).toHaveLength(1);
    const [job] = (await world.jobs()) as [V1Job];
    expect(job.spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 6,
      parallelism: 2,
      backoffLimitPerIndex: 0,
    });
    for (const outcome of await Promise.all(started.map(({ handle }) => handle.outcome))) {
      if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome));
      expect(outcome.result.usage).toMatchObject({ bytesRead: 7, bytesWritten: 9 });
      expect(outcome.result.usage.peakMemoryBytes).toBeGreaterThan(1e7);
    }
    expect(world.node.mostAtOnce).toBe(2);
    expect(started.every(({ handle }) => handle.alive())).toBe(false);
    // Nothing goes before the last outcome is recorded.
    for (const { handle } of started.slice(1)) handle.recorded!();
    expect(await world.jobs()).toHaveLength(1);
    started[0]!.handle.recorded!();
    await world.empty();
  });

  it('fail one by one, each with its reason, exit code and log', async () => {
    const started = await world.start(world.executorOf(), ['userError', 'crash', 'succeed']);
    const [user, crash, success] = await recorded(started);
    expect(failureOf(user!)).toMatchObject({
      class: 'userError',
      exitCode: 64,
      error: { code: 'EMPTY_CLASS', message: 'expected images, got none: add some', details: { class: 'a' } },
      lastLogLines: ['order attempt_1_0: userError', 'EMPTY_CLASS: expected images, got none: add some'],
    });
    expect(failureOf(crash!)).toMatchObject({
      class: 'internal',
      exitCode: 3,
      lastLogLines: ['order attempt_1_1: crash'],
    });
    expect(success!.kind).toBe('succeeded');
    await world.empty();
  });

  it('out of memory, deleted and evicted are told apart', async () => {
    const started = await world.start(world.executorOf(), ['hang', 'hang', 'hang']);
    const [large, deleted, evicted] = (await Promise.all(started.map((one) => world.podOf(one)))) as [
      string,
      string,
      string,
    ];
    const namespace = world.name;
    world.node.killForMemory(large);
    await world.core.deleteNamespacedPod({ namespace, name: deleted });
    await world.core.createNamespacedPodEviction({ namespace, name: evicted, body: { metadata: { name: evicted } } });
    const failures = (await recorded(started)).map(failureOf);
    expect(failures.map((of) => of.class)).toEqual(['outOfMemory', 'lost', 'preempted']);
    expect(failures.map((of) => of.exitCode)).toEqual([137, 143, 143]);
    expect(failures[2]!.error.message).toContain('EvictionByEvictionAPI');
    await world.empty();
  });

  it('that outlast the deadline of their class are ended', async () => {
    const executor = world.executorOf({ classes: { cpu: { priceUsdPerHour: 1, deadlineMinutes: 0.05 } } });
    const [outcome] = await recorded(await world.start(executor, ['deaf']));
    expect(failureOf(outcome!)).toMatchObject({ class: 'timeout', error: { code: 'TIMEOUT' } });
    expect(outcome!.kind === 'failed' && outcome!.usage.allocatedSeconds).toBeGreaterThan(1);
    await world.empty();
  });

  it('say why they wait, and fail where the image cannot be had for long', async () => {
    world.node.hasImage = () => false;
    const started = await world.start(world.executorOf({ file: { imagePullMinutes: 0.05 } }), ['succeed']);
    const [outcome] = await recorded(started);
    expect(failureOf(outcome!)).toMatchObject({ class: 'imagePull' });
    expect(failureOf(outcome!).error.message).toContain('no such image: worker:test');
    expect(started[0]!.waits).toContain('its image cannot be pulled: ErrImagePull: no such image: worker:test');
    await world.empty();
  });

  it('fail where no node fits for long', async () => {
    world.node.unschedulable = () => '0/1 nodes are available: insufficient memory';
    const started = await world.start(world.executorOf({ file: { unschedulableMinutes: 0.05 } }), ['succeed']);
    const [outcome] = await recorded(started);
    expect(failureOf(outcome!)).toMatchObject({ class: 'unschedulable' });
    expect(started[0]!.waits).toContain('no node fits: 0/1 nodes are available: insufficient memory');
    expect(outcome!.kind === 'failed' && outcome!.usage.allocatedSeconds).toBe(0);
    await world.empty();
  });

  it('wait for the queue that has to admit them, and run once it does', async () => {
    const executor = world.executorOf({ classes: { gpu: { priceUsdPerHour: 1, queue: 'research' } } });
    const started = await world.start(executor, ['succeed', 'succeed'], { executorClass: 'gpu' });
    await until(() => started.every(({ waits }) => waits.includes('queue research has not admitted it')));
    expect(started.every(({ handle }) => handle.alive())).toBe(true);
    const [job] = (await world.jobs()) as [V1Job];
    expect(job.metadata!.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'research' });
    expect(await world.pods()).toEqual([]);
    await world.batch.replaceNamespacedJob({
      namespace: world.name,
      name: job.metadata!.name!,
      body: { ...job, spec: { ...job.spec!, suspend: false } },
    });
    expect((await recorded(started)).map(({ kind }) => kind)).toEqual(['succeeded', 'succeeded']);
    expect(started[0]!.waits.at(-1)).toBeNull();
    await world.empty();
  });

  it('go on when their queue takes their nodes away and gives them back', async () => {
    const started = await world.start(world.executorOf(), ['untilAllowed']);
    await world.podOf(started[0]!);
    const setSuspend = async (suspend: boolean) => {
      await until(async () => {
        const [job] = (await world.jobs()) as [V1Job];
        const body = { ...job, spec: { ...job.spec!, suspend } };
        return world.batch
          .replaceNamespacedJob({ namespace: world.name, name: job.metadata!.name!, body })
          .catch(() => null);
      });
    };
    await setSuspend(true);
    await until(() => started[0]!.waits.includes('its Job is suspended'));
    await until(() => world.node.running().length === 0);
    await setSuspend(false);
    await world.podOf(started[0]!);
    await world.allow(0);
    expect((await recorded(started))[0]!.kind).toBe('succeeded');
    expect(world.node.started).toBe(2);
    await world.empty();
  });

  it.each(['pending', 'suspended', 'running'])(
    'that are %s are cancelled, and their Job is gone by then',
    async (how) => {
      if (how === 'pending') world.node.unschedulable = () => 'no room';
      const executor = world.executorOf({ classes: { gpu: { priceUsdPerHour: 1, queue: 'research' } } });
      const execution: JsonObject = how === 'suspended' ? { executorClass: 'gpu' } : {};
      const started = await world.start(executor, ['hang', 'hang', 'hang', 'hang'], execution);
      if (how === 'running') await world.podOf(started[2]!);
      else await until(() => started[0]!.waits.some((reason) => /no room|has not admitted/.test(reason ?? '')));
      for (const { handle } of started) handle.cancel();
      const outcomes = await recorded(started);
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('cancelled'));
      expect(world.node.running()).toEqual([]);
      await world.empty();
    },
  );

  it('are cancelled one by one while the others go on', async () => {
    const started = await world.start(world.executorOf(), Array(5).fill('untilAllowed'));
    await world.podOf(started[0]!);
    // One that runs, and one that has no pod yet: three may run at once.
    started[0]!.handle.cancel();
    started[4]!.handle.cancel();
    expect((await started[0]!.handle.outcome).kind).toBe('cancelled');
    expect((await started[4]!.handle.outcome).kind).toBe('cancelled');
    await world.allow(0, 1, 2, 3, 4);
    expect((await recorded(started)).map(({ kind }) => kind)).toEqual([
      'cancelled',
      'succeeded',
      'succeeded',
      'succeeded',
      'cancelled',
    ]);
    await world.empty();
  });

  it('whose Job someone deletes are lost once their pods are gone', async () => {
    const started = await world.start(world.executorOf(), ['hang', 'hang']);
    await Promise.all(started.map((one) => world.podOf(one)));
    const name = String(started[0]!.handle.reference['job']);
    await world.batch.deleteNamespacedJob({ namespace: world.name, name, propagationPolicy: 'Background' });
    const failures = (await recorded(started)).map(failureOf);
    expect(failures.map((of) => of.class)).toEqual(['lost', 'lost']);
    expect(world.node.running()).toEqual([]);
    await world.empty();
  });

  it('with two pods of one index succeed once, whichever of them publishes', async () => {
    const started = await world.start(world.executorOf(), ['untilAllowed']);
    const name = await world.podOf(started[0]!);
    const first = (await world.pods()).find((pod) => pod.metadata!.name === name)!;
    const { labels, annotations, ownerReferences, finalizers } = first.metadata!;
    const spec = { ...first.spec!, nodeName: undefined };
    await world.core.createNamespacedPod({
      namespace: world.name,
      body: { metadata: { name: `${name}-twin`, labels, annotations, ownerReferences, finalizers }, spec },
    });
    await until(() => world.node.started === 2);
    await world.allow(0);
    const [outcome] = await recorded(started);
    expect(outcome!.kind).toBe('succeeded');
    expect(await world.keysOf('projects/project_1/artifacts/')).toHaveLength(1);
    await world.empty();
  });

  it('are created once, though the answer to the first request got lost', async () => {
    let asked = 0;
    const wrap = (cluster: Cluster): Cluster => ({
      ...cluster,
      async createJob(job) {
        const created = await cluster.createJob(job);
        if (++asked === 1) throw new PushforwardError('CLUSTER_UNAVAILABLE', 'the answer got lost');
        return created;
      },
    });
    const started = await world.start(world.executorOf({ wrap }), ['succeed']);
    expect(asked).toBe(1);
    expect(await world.jobs()).toHaveLength(1);
    expect((await recorded(started))[0]!.kind).toBe('succeeded');
    await world.empty();
  });

  it('whose creation is given up do not run on behind its back', async () => {
    const wrap = (cluster: Cluster): Cluster => ({
      ...cluster,
      async createJob(job) {
        await cluster.createJob(job).catch(() => {});
        throw new PushforwardError('CLUSTER_UNAVAILABLE', 'the answer got lost');
      },
    });
    await expect(world.start(world.executorOf({ wrap }), ['hang'])).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
    });
    await world.empty();
  });

  it('that ended under a service that died before it deleted their Job are cleared away in the end', async () => {
    const first = world.executorOf();
    const started = await world.start(first, ['succeed']);
    await started[0]!.handle.outcome;
    await first.close();
    expect(await world.jobs()).toHaveLength(1);
    world.executorOf({ forgottenMs: 0 });
    await world.empty();
  });

  it('are refused with what the cluster says of them', async () => {
    const classes = { cpu: { priceUsdPerHour: 1, resources: { requests: { cpu: '4' }, limits: { cpu: '1' } } } };
    const starting = world.start(world.executorOf({ classes }), ['succeed']);
    await expect(starting).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/must be less than or equal to cpu limit.*correct the executor class/) as string,
    });
    const unknown = world.start(world.executorOf(), ['succeed'], { executorClass: 'tpu' });
    await expect(unknown).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('go on while watches are cut and the API server is away', async () => {
    const executor = world.executorOf();
    const started = await world.start(executor, Array(5).fill('untilAllowed'));
    await until(() => started.filter(({ waits }) => waits.at(-1) === null).length === 3, 'three to run', 30_000);
    await plane.stopApiServer();
    try {
      await world.allow(0, 1, 2, 3, 4);
      await until(() => world.node.running().length === 0, 'the processes to end', 30_000);
      expect(started.every(({ handle }) => handle.alive())).toBe(true);
    } finally {
      await plane.startApiServer();
    }
    expect((await recorded(started)).map(({ kind }) => kind)).toEqual(Array(5).fill('succeeded'));
    await world.empty();
  });

  it('tell their progress to the service, with the token of their run', async () => {
    const refusals: unknown[] = [];
    const server = createServer((request, response) => {
      const [, , attemptId] = request.url!.split('/');
      const [, token] = request.headers.authorization!.split(' ');
      void json(request).then((body) => {
        const { itemsDone } = body as { itemsDone: number };
        try {
          executor.reportProgress(token!, attemptId!, itemsDone);
          // It is good for its run alone.
          executor.reportProgress(token!, other!.order.attemptId, itemsDone);
        } catch (error) {
          refusals.push(error);
        }
        response.end();
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const callbackUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const executor = world.executorOf({ callbackUrl });
    const [other] = await world.start(world.executorOf(), ['hang']);
    const started = await world.start(executor, ['untilAllowed']);
    await until(() => started[0]!.progress.length > 0, 'progress', 60_000);
    expect(started[0]!.progress).toEqual([1]);
    expect(refusals).toMatchObject([{ code: 'NOT_FOUND' }]);
    expect(() => executor.reportProgress('a.b', started[0]!.order.attemptId, 2)).toThrow(/token of a run/);
    await world.allow(0);
    other!.handle.cancel();
    await recorded([...started, other!]);
    server.close();
    await world.empty();
  });

  it('of a service that died or left them go on under the next, those too that ended meanwhile', async () => {
    const first = world.executorOf();
    const started = await world.start(first, ['untilAllowed', 'untilAllowed', 'userError']);
    await Promise.all(started.slice(0, 2).map((one) => world.podOf(one)));
    const pods = (await world.pods()).map(({ metadata }) => metadata!.uid).sort();
    expect(started[0]!.handle.leave!()).toBe(true);
    await first.close();
    await world.allow(0);
    await until(() => world.node.running().length === 1, 'the first to end', 30_000);

    const second = world.executorOf();
    const never = { ...started[0]!.order, attemptId: 'attempt_never' };
    const observer = { progress: () => {}, waiting: () => {} };
    const orders = [...started.map(({ order }) => order), never];
    const handles = await second.adopt!(orders.map((order) => ({ order, observer })));
    expect(handles.map((handle) => handle !== null)).toEqual([true, true, true, false]);
    expect(handles.slice(0, 3).map((handle) => handle!.reference)).toEqual(
      started.map(({ handle }) => handle.reference),
    );
    expect((await handles[0]!.outcome).kind).toBe('succeeded');
    expect(failureOf(await handles[2]!.outcome)).toMatchObject({ class: 'userError', error: { code: 'EMPTY_CLASS' } });
    handles[0]!.recorded!();
    handles[2]!.recorded!();
    expect(handles[1]!.alive()).toBe(true);
    await world.allow(1);
    expect((await handles[1]!.outcome).kind).toBe('succeeded');
    expect((await world.pods()).map(({ metadata }) => metadata!.uid).sort()).toEqual(pods);
    handles[1]!.recorded!();
    await world.empty();
  });

  it('of a service that died are released by reference, and by their id alone', async () => {
    const first = world.executorOf();
    const [byReference] = await world.start(first, ['hang']);
    const [byId] = await world.start(first, ['hang']);
    await Promise.all([world.podOf(byReference!), world.podOf(byId!)]);
    await first.close();
    const second = world.executorOf();
    const { reference } = byReference!.handle;
    await until(
      () => second.release({ ...reference, attemptId: byReference!.order.attemptId }),
      'the first to go',
      60_000,
    );
    expect(world.node.running()).toHaveLength(1);
    await until(() => second.release({ attemptId: byId!.order.attemptId }), 'the second to go', 60_000);
    expect(world.node.running()).toEqual([]);
    expect(await world.jobs()).toEqual([]);
    expect(await second.release({ attemptId: 'attempt_never' })).toBe(true);
    await world.empty();
  });
});
