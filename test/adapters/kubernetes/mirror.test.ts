import { type V1Pod } from '@kubernetes/client-node';
import { afterEach, describe, expect, it } from 'vitest';
import { type Listed, type WatchEvent } from '../../../src/adapters/kubernetes/cluster.ts';
import { createMirror, type Mirror } from '../../../src/adapters/kubernetes/mirror.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { PushforwardError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { until } from '../../support/until.ts';

const pod = (name: string, version: number, uid = name): V1Pod => ({
  metadata: { name, uid, resourceVersion: String(version), labels: { job: 'one' } },
});

/** A source whose lists and watches the test answers. */
function scripted() {
  const lists: PromiseWithResolvers<{ items: V1Pod[]; resourceVersion: string }>[] = [];
  const watches: { tell(event: WatchEvent<V1Pod>): void; end(): void; fail(error: unknown): void }[] = [];
  const source: Listed<V1Pod> = {
    list() {
      const list = Promise.withResolvers<{ items: V1Pod[]; resourceVersion: string }>();
      lists.push(list);
      return list.promise;
    },
    watch(_, tell) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      watches.push({ tell, end: resolve, fail: reject });
      return promise;
    },
  };
  const gone: V1Pod[] = [];
  const mirror = createMirror<V1Pod>({
    ...{ name: 'pods', source, groupOf: (of) => of.metadata!.labels!['job']!, onChange: () => {} },
    onGone: (of) => gone.push(of),
    clock: systemClock,
    log: silentLog,
  });
  mirrors.push(mirror);
  const answer = async (index: number, ...items: V1Pod[]) => {
    await until(() => lists.length > index);
    lists[index]!.resolve({ items, resourceVersion: '1' });
    await until(() => watches.length > index);
    return watches[index]!;
  };
  const versions = () =>
    [...mirror.group('one')].map((of) => `${of.metadata!.name} ${of.metadata!.resourceVersion}`).sort();
  return { mirror, lists, answer, gone, versions };
}

const mirrors: Mirror<V1Pod>[] = [];
afterEach(() => mirrors.splice(0).forEach((mirror) => mirror.close()));

describe('a mirror', () => {
  it('has what was listed and what the watch told since, and tells how what went was last', async () => {
    const { mirror, answer, gone, versions } = scripted();
    const watch = await answer(0, pod('a', 1), pod('b', 1));
    await mirror.listed;
    watch.tell({ type: 'MODIFIED', object: pod('a', 3) });
    watch.tell({ type: 'ADDED', object: pod('c', 4) });
    watch.tell({ type: 'BOOKMARK', object: pod('', 5) });
    watch.tell({ type: 'DELETED', object: pod('b', 6) });
    expect(versions()).toEqual(['a 3', 'c 4']);
    expect(gone).toEqual([pod('b', 6)]);
  });

  it('lists anew when a watch ends, and so finds what it missed', async () => {
    const { answer, gone, versions } = scripted();
    (await answer(0, pod('a', 1), pod('b', 1))).end();
    await answer(1, pod('b', 2), pod('c', 3));
    expect(versions()).toEqual(['b 2', 'c 3']);
    expect(gone.map((of) => of.metadata!.name)).toEqual(['a']);
  });

  it('keeps what was put in while a list was under way, and goes back to nothing older', async () => {
    const { mirror, lists, answer, versions } = scripted();
    await until(() => lists.length === 1);
    mirror.put(pod('new', 5));
    const watch = await answer(0, pod('a', 1));
    expect(versions()).toEqual(['a 1', 'new 5']);
    watch.tell({ type: 'MODIFIED', object: pod('new', 4) });
    expect(versions()).toEqual(['a 1', 'new 5']);
    // The deletion of another of this name is no deletion of this.
    watch.tell({ type: 'DELETED', object: pod('new', 3, 'earlier') });
    expect(versions()).toEqual(['a 1', 'new 5']);
    watch.end();
    await answer(1, pod('a', 1));
    expect(versions()).toEqual(['a 1']);
  });

  it('waits for a cluster that is away, and says so of one that refuses', async () => {
    const away = scripted();
    await until(() => away.lists.length === 1);
    away.lists[0]!.reject(new PushforwardError('CLUSTER_UNAVAILABLE', 'away'));
    await until(() => away.lists.length === 2);
    away.lists[1]!.resolve({ items: [pod('a', 1)], resourceVersion: '1' });
    await away.mirror.listed;
    expect(away.versions()).toEqual(['a 1']);

    const refused = scripted();
    await until(() => refused.lists.length === 1);
    refused.lists[0]!.reject(new PushforwardError('FORBIDDEN', 'no'));
    await expect(refused.mirror.listed).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
