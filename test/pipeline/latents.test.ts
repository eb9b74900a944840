import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { openLatents } from '../../src/pipeline/latent-stream.ts';
import { datasetOrder, readClass } from '../../src/pipeline/latents.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { publishLatents } from '../support/latents.ts';

describe('datasetOrder', () => {
  it('is by digest, whatever lies in which part', () => {
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.map((byte) => byte & 1));
    fc.assert(
      fc.property(fc.array(fc.array(digest, { maxLength: 5 }), { minLength: 1, maxLength: 4 }), (parts) => {
        const { part, row } = datasetOrder(parts.map((some) => Uint8Array.from(some.flatMap((one) => [...one]))));
        const ordered = [...part].map((p, i) => Buffer.from(parts[p]![row[i]!]!).toString('hex'));
        expect(ordered).toEqual(parts.flatMap((some) => some.map((one) => Buffer.from(one).toString('hex'))).sort());
      }),
    );
  });
});

describe('the latents of a class', () => {
  const n = 300;
  const samples = Array.from({ length: n }, (_, i) => ({ digest: sha256(`image ${i}`), latent: [i, -i, i / 2, 1] }));

  it('are the same read at once or in parts, in any chunks and any order', async () => {
    const store = createMemoryStore();
    const whole = await publishLatents(store, [samples]);
    const all = (await readClass(store, 'p', whole)).points;
    // an import that came later: its images lie between those of the first
    const cut = [samples.slice(0, 120), samples.slice(120, 121), samples.slice(121)];
    for (const parts of [[samples], cut]) {
      const stream = await openLatents(store, 'p', await publishLatents(store, parts));
      expect([stream.n, stream.d, stream.shape]).toEqual([n, 4, [1, 2, 2]]);
      for (const wanted of [[0, 1, 2], [299, 0, 150, 0], Array.from({ length: n }, (_, i) => (i * 7) % n)]) {
        const { values } = await stream.read(Int32Array.from(wanted));
        expect([...values]).toEqual(wanted.flatMap((i) => [...all.values.subarray(4 * i, 4 * i + 4)]));
      }
    }
  });

  it('are read again where they were damaged on the way, and refused where they stay so', async () => {
    const store = createMemoryStore();
    let damages = 0;
    const get: typeof store.get = async (key, range, options) => {
      const bytes = await store.get(key, range, options);
      if (range && damages-- > 0) bytes[5]! ^= 1;
      return bytes;
    };
    const stream = await openLatents({ ...store, get }, 'p', await publishLatents(store, [samples]));
    const wanted = Int32Array.from([10, 11, 200]);
    const right = await stream.read(wanted);
    damages = 2;
    expect(await stream.read(wanted)).toEqual(right);
    damages = 100;
    await expect(stream.read(wanted)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
  });

  it('are checked when they are opened', async () => {
    const store = createMemoryStore();
    const [id] = await publishLatents(store, [samples]);
    const [blob] = [...store.objects].find(([key]) => key.includes('/blobs/'))!;
    store.objects.get(blob)!.bytes[200]! ^= 1;
    await expect(openLatents(store, 'p', [id!])).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
  });
});
