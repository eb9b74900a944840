import { describe, expect, it, vi } from 'vitest';
import { type ArtifactManifest } from '../../src/engine/ports.ts';
import {
  artifactId,
  artifactKey,
  blobKey,
  createPublications,
  getBlob,
  putBlob,
  readManifest,
} from '../../src/pipeline/artifacts.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const BYTES = new TextEncoder().encode('latents');

async function world() {
  const store = createMemoryStore();
  const blob = await putBlob(store, 'p', BYTES, 'text/plain');
  const named = { stage: 'encode', stageVersion: 1, options: { k: 1 }, inputs: [] };
  const manifest: ArtifactManifest = {
    formatVersion: 1,
    ...named,
    id: artifactId(named),
    kind: 'latents',
    blobs: { 'latents.safetensors': blob },
    content: {},
    metrics: {},
    produced: { threads: 1 },
  };
  return { store, blob, manifest, publications: createPublications(store) };
}

describe('publication', () => {
  it('counts once: whoever comes second adopts the first', async () => {
    const { manifest, publications } = await world();
    expect(await publications.publish('p', manifest)).toEqual(manifest);
    const second = { ...manifest, produced: { threads: 2 } };
    expect(await publications.publish('p', second)).toEqual(manifest);
    expect(await publications.find('p', manifest.id)).toEqual(manifest);
  });

  it('is of one project: another one finds nothing', async () => {
    const { manifest, publications } = await world();
    await publications.publish('p', manifest);
    expect(await publications.find('q', manifest.id)).toBeNull();
  });

  it('is not found while a blob is missing or cut short, and is whole again once the work is done again', async () => {
    const { store, blob, manifest, publications } = await world();
    await publications.publish('p', manifest);
    for (const damage of [
      () => store.delete(blobKey('p', blob.sha256)),
      () => store.put(blobKey('p', blob.sha256), BYTES.slice(1)),
    ]) {
      await damage();
      expect(await publications.find('p', manifest.id)).toBeNull();
      await putBlob(store, 'p', BYTES, 'text/plain');
      expect(await publications.publish('p', manifest)).toEqual(manifest);
      expect(await publications.find('p', manifest.id)).toEqual(manifest);
    }
  });

  it('is verified to the last byte, and says what is wrong with it', async () => {
    const { store, blob, manifest, publications } = await world();
    const key = blobKey('p', blob.sha256);
    expect(await publications.verify('p', manifest.id)).toEqual({ manifest: null, flaw: null });
    await publications.publish('p', manifest);
    expect(await publications.verify('p', manifest.id)).toEqual({ manifest });
    const flipped = Uint8Array.from(BYTES, (byte, index) => (index === 0 ? byte ^ 1 : byte));
    for (const [damage, flaw] of [
      [() => store.put(key, flipped), 'has other bytes in the store than were published'],
      [() => store.put(key, BYTES.slice(1)), `has ${BYTES.length - 1} bytes in the store, not ${BYTES.length}`],
      [() => store.delete(key), 'is not in the store any more'],
    ] as const) {
      await damage();
      const flawed = { manifest: null, flaw: `its latents.safetensors ${flaw}` };
      expect(await publications.verify('p', manifest.id)).toEqual(flawed);
      await putBlob(store, 'p', BYTES, 'text/plain');
      expect(await publications.verify('p', manifest.id)).toEqual({ manifest });
    }
  });

  it('reads what did not change since it was right only once', async () => {
    const { store, manifest, publications } = await world();
    await publications.publish('p', manifest);
    const read = vi.spyOn(store, 'stream');
    await publications.verify('p', manifest.id);
    await publications.verify('p', manifest.id);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('names what to delete where the same work gives other bytes and the first are lost', async () => {
    const { store, blob, manifest, publications } = await world();
    await publications.publish('p', manifest);
    await store.delete(blobKey('p', blob.sha256));
    const other = await putBlob(store, 'p', new Uint8Array([1]), 'text/plain');
    await expect(
      publications.publish('p', { ...manifest, blobs: { 'latents.safetensors': other } }),
    ).rejects.toMatchObject({
      code: 'CORRUPT_ARTIFACT',
      message: expect.stringContaining(artifactKey('p', manifest.id)) as string,
    });
  });
});

/** The same, with a bit of what is read first another. */
function damagedOnce(store: ObjectStore): ObjectStore {
  let read = false;
  const once = (bytes: Uint8Array): Uint8Array => {
    if (read) return bytes;
    read = true;
    return bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
  };
  return {
    ...store,
    get: async (...of) => once(await store.get(...of)),
    async *stream(...of) {
      for await (const piece of store.stream(...of)) yield once(piece);
    },
  };
}

describe('what is damaged on the way', () => {
  it('is read again', async () => {
    const { store, blob, manifest, publications } = await world();
    await publications.publish('p', manifest);
    expect(await getBlob(damagedOnce(store), 'p', blob)).toEqual(BYTES);
    expect(await readManifest(damagedOnce(store), 'p', manifest.id)).toEqual(manifest);
    const found = await readManifest(store, 'p', manifest.id);
    const streamed = { ...store, stream: damagedOnce(store).stream };
    expect(await createPublications(streamed).verify('p', manifest.id)).toEqual({ manifest: found });
  });

  it('is refused where it stays so, manifests too', async () => {
    const { store, manifest, publications } = await world();
    await publications.publish('p', manifest);
    await store.put(artifactKey('p', manifest.id), new TextEncoder().encode('{'));
    await expect(readManifest(store, 'p', manifest.id)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
  });
});

it('a manifest that a store refuses for one that is gone is published again', async () => {
  const { store, manifest } = await world();
  let refusals = 0;
  const put: ObjectStore['put'] = async (name, body, options) =>
    refusals++ === 0 ? { written: false, bytes: 0, sha256: '' } : store.put(name, body, options);
  expect(await createPublications({ ...store, put }).publish('p', manifest)).toEqual(manifest);
  expect(await readManifest(store, 'p', manifest.id)).toEqual(manifest);
});

describe('getBlob', () => {
  it('refuses bytes with another digest', async () => {
    const { store, blob } = await world();
    await store.put(blobKey('p', blob.sha256), new Uint8Array(BYTES.length));
    await expect(getBlob(store, 'p', blob)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
  });
});

describe('artifactId', () => {
  const of = { stage: 'encode', stageVersion: 1, options: { a: 1, b: [2] }, inputs: ['x'] };

  it('follows from what it is made from, whatever the order of the options', () => {
    expect(artifactId({ ...of, options: { b: [2], a: 1 } })).toBe(artifactId(of));
  });

  it.each([{ stage: 'decode' }, { stageVersion: 2 }, { options: { a: 1, b: [3] } }, { inputs: ['y'] }])(
    'changes with %j',
    (change) => {
      expect(artifactId({ ...of, ...change })).not.toBe(artifactId(of));
    },
  );
});
