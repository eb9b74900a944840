/** Uploads over a real database and a directory store that is served as the service serves it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PushforwardError } from '../../src/base/errors.ts';
import { newId } from '../../src/base/ids.ts';
import { sha256 } from '../../src/base/json.ts';
import { createControl } from '../../src/control/control.ts';
import { createUploadSweep } from '../../src/control/upload-sweep.ts';
import { type SignedUploadPart } from '../../src/control/uploads.ts';
import { startTestApi, type TestApi } from '../api/client.ts';
import { sendPart } from '../support/send-part.ts';
import { LOCAL } from './world.ts';

const HOUR_MS = 3_600_000;
const MIB = 1024 ** 2;

let api: TestApi;
beforeAll(async () => (api = await startTestApi()), 60_000);
afterAll(() => api?.close());

const bytesOf = (text: string) => new TextEncoder().encode(text);
const small = bytesOf('one small file');
/** Two parts, of which the last is short. */
const large = Uint8Array.from({ length: 16 * MIB + 5 }, (_, index) => (index * 7) % 251);
const slices = [large.subarray(0, 16 * MIB), large.subarray(16 * MIB)];

const create = async (files: { path: string; bytes: number; sha256?: string }[], idempotencyKey = newId('key')) =>
  await api.control.createUpload(LOCAL, { files, idempotencyKey });
const sign = (uploadId: string, path: string, number: number, body: Uint8Array) =>
  api.control
    .signUploadParts(LOCAL, { uploadId, parts: [{ path, number, sha256: sha256(body) }] })
    .then(([part]) => part!);
const send = async (part: SignedUploadPart, body: Uint8Array) => (await sendPart(part, body)).status;
const complete = (id: string) => api.control.completeUpload(LOCAL, id);
const stateOf = async (id: string) => (await api.control.read(LOCAL).uploadsById([id]))[0]!;

/** Everything that the store holds of an upload, parts too. */
async function held(id: string): Promise<string[]> {
  const below = (folder: string) =>
    readdir(join(api.folder, 'store', folder, 'projects/default/uploads', id), { recursive: true, withFileTypes: true })
      .catch(() => [])
      .then((entries) => entries.filter((entry) => entry.isFile()).map((entry) => entry.name));
  return [...(await below('objects')), ...(await below('incoming'))];
}

const smallUpload = async () => {
  const { upload, parts } = await create([{ path: 'a/small.bin', bytes: small.length, sha256: sha256(small) }]);
  return { id: upload.id, part: parts[0]! };
};
const readyUpload = async () => {
  const { id, part } = await smallUpload();
  expect(await send(part, small)).toBe(200);
  await complete(id);
  return id;
};

describe('an upload', () => {
  it('takes several files in parts, and holds them whole once it is complete', async () => {
    const { upload, parts, reused } = await create([
      { path: 'data/large.bin', bytes: large.length },
      { path: 'small.bin', bytes: small.length, sha256: sha256(small) },
    ]);
    expect([upload.state, upload.bytes, reused]).toEqual(['OPEN', large.length + small.length, false]);
    const files = await api.control.read(LOCAL).filesOfUploads([upload.id]);
    expect(files).toMatchObject([
      { path: 'data/large.bin', partBytes: 16 * MIB, partCount: 2, complete: false },
      { path: 'small.bin', partCount: 1 },
    ]);
    expect(parts).toMatchObject([{ path: 'small.bin', number: 1, bytes: small.length }]);
    expect(await send(parts[0]!, small)).toBe(200);
    for (const number of [2, 1]) {
      const body = slices[number - 1]!;
      expect(await send(await sign(upload.id, 'data/large.bin', number, body), body)).toBe(200);
    }
    const ready = await complete(upload.id);
    expect(ready).toMatchObject({ state: 'READY', endedAt: expect.any(Date) as Date });
    const key = `projects/default/uploads/${upload.id}`;
    expect(sha256(await api.store.get(`${key}/data/large.bin`))).toBe(sha256(large));
    expect(await api.store.get(`${key}/small.bin`)).toEqual(small);
    expect((await held(upload.id)).sort()).toEqual(['large.bin', 'small.bin']);
    expect(await complete(upload.id)).toEqual(ready);
    await expect(sign(upload.id, 'small.bin', 1, small)).rejects.toMatchObject({ code: 'NOT_READY' });
    expect(await api.db.selectFrom('upload_parts').selectAll().where('upload_id', '=', upload.id).execute()).toEqual(
      [],
    );
  });

  it('names what is missing, and takes it then', async () => {
    const { upload, parts } = await create([
      { path: 'large.bin', bytes: large.length },
      { path: 'small.bin', bytes: small.length, sha256: sha256(small) },
    ]);
    const missing = async () =>
      await complete(upload.id).then(
        () => [],
        (error: PushforwardError) => {
          expect(error.code).toBe('NOT_READY');
          return error.details['missing'] as { path: string; number: number }[];
        },
      );
    expect(await missing()).toEqual([
      { path: 'large.bin', number: 1 },
      { path: 'large.bin', number: 2 },
      { path: 'small.bin', number: 1 },
    ]);
    await send(parts[0]!, small);
    await send(await sign(upload.id, 'large.bin', 2, slices[1]!), slices[1]!);
    expect(await missing()).toEqual([{ path: 'large.bin', number: 1 }]);
    const first = await sign(upload.id, 'large.bin', 1, slices[0]!);
    expect(await missing()).toEqual([{ path: 'large.bin', number: 1 }]);
    // The file that was complete already stays so.
    await expect(sign(upload.id, 'small.bin', 1, small)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await send(first, slices[0]!);
    expect(await missing()).toEqual([]);
    expect((await stateOf(upload.id)).state).toBe('READY');
  });

  it('refuses bytes that its URLs were not signed for, and keeps none', async () => {
    const { id, part } = await smallUpload();
    const longer = await sendPart(part, bytesOf('one small file.'));
    expect([longer.status, JSON.parse(longer.text)]).toMatchObject([
      400,
      { code: 'INVALID_INPUT', message: expect.stringMatching(/expected part 1 of 14 bytes, got 15: send/) as string },
    ]);
    const other = await sendPart(part, bytesOf('ONE SMALL FILE'));
    expect([other.status, JSON.parse(other.text)]).toMatchObject([
      400,
      { message: expect.stringMatching(/expected part 1 with SHA-256 \w+, got/) as string },
    ]);
    expect(await send({ ...part, url: part.url.replace('part=1', 'part=2') }, small)).toBe(403);
    await expect(complete(id)).rejects.toMatchObject({ code: 'NOT_READY' });
    expect(await held(id)).toEqual([]);
  });

  it('gives a URL anew for one that has expired', async () => {
    const { id, part } = await smallUpload();
    vi.useFakeTimers({ now: Date.now() + HOUR_MS, toFake: ['Date'] });
    try {
      const late = await sendPart(part, small);
      expect([late.status, JSON.parse(late.text)]).toMatchObject([
        403,
        { code: 'FORBIDDEN', message: expect.stringMatching(/has not expired.*ask for a new one/) as string },
      ]);
      expect(await send(await sign(id, 'a/small.bin', 1, small), small)).toBe(200);
    } finally {
      vi.useRealTimers();
    }
    expect((await complete(id)).state).toBe('READY');
  });

  it('is one per key, and with other files a conflict', async () => {
    const files = [{ path: 'a', bytes: small.length, sha256: sha256(small) }];
    const key = newId('key');
    const [one, two] = await Promise.all([create(files, key), create(files, key)]);
    expect(two.upload.id).toBe(one.upload.id);
    expect([one.reused, two.reused].sort()).toEqual([false, true]);
    await expect(create([{ path: 'b', bytes: 1 }], key)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    // Either answer's URL will do.
    expect(await send(one.parts[0]!, small)).toBe(200);
    expect(await send(two.parts[0]!, small)).toBe(200);
    await complete(one.upload.id);
    expect(await create(files, key)).toMatchObject({ upload: { state: 'READY' }, parts: [], reused: true });
  });

  it.each([
    ['of no part', [], 'parts'],
    [
      'of too many parts',
      Array.from({ length: 101 }, () => ({ path: 'a/small.bin', number: 1, sha256: sha256('') })),
      'parts',
    ],
    ['of another file', [{ path: 'a', number: 1, sha256: sha256('') }], 'parts.0.path'],
    ['of a part before the first', [{ path: 'a/small.bin', number: 0, sha256: sha256('') }], 'parts.0.number'],
    ['of a part after the last', [{ path: 'a/small.bin', number: 2, sha256: sha256('') }], 'parts.0.number'],
    [
      'of a part that is asked for twice',
      [sha256('a'), sha256('b')].map((digest) => ({ path: 'a/small.bin', number: 1, sha256: digest })),
      'parts.1',
    ],
    ['of a digest that is none', [{ path: 'a/small.bin', number: 1, sha256: 'x' }], 'parts.0.sha256'],
  ])('signs nothing %s', async (_, parts, field) => {
    const { id } = await smallUpload();
    await expect(api.control.signUploadParts(LOCAL, { uploadId: id, parts })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { path: field.split('.') },
    });
  });

  it('that is completed twice at once is READY for both', async () => {
    const { id, part } = await smallUpload();
    await send(part, small);
    const [one, two] = await Promise.all([complete(id), complete(id)]);
    expect([one.state, two.state]).toEqual(['READY', 'READY']);
  });

  it('begins anew where the store has lost its parts', async () => {
    const { id, part } = await smallUpload();
    await send(part, small);
    await api.store.incoming.abort(`projects/default/uploads/${id}/`);
    await expect(complete(id)).rejects.toMatchObject({ details: { missingCount: 1 } });
    expect(await send(part, small)).toBe(404);
    expect(await send(await sign(id, 'a/small.bin', 1, small), small)).toBe(200);
    expect((await complete(id)).state).toBe('READY');
  });
});

describe('an upload that is given up', () => {
  it('frees parts and files, and takes nothing more', async () => {
    const { upload, parts } = await create([
      { path: 'small.bin', bytes: small.length, sha256: sha256(small) },
      { path: 'large.bin', bytes: large.length },
    ]);
    await send(parts[0]!, small);
    await send(await sign(upload.id, 'large.bin', 1, slices[0]!), slices[0]!);
    await expect(complete(upload.id)).rejects.toMatchObject({ code: 'NOT_READY' });
    expect(await held(upload.id)).toHaveLength(2);
    expect(await api.control.abortUpload(LOCAL, upload.id)).toMatchObject({ state: 'ABORTED', expiresAt: null });
    expect(await held(upload.id)).toEqual([]);
    expect(await send(parts[0]!, small)).toBe(404);
    await expect(complete(upload.id)).rejects.toMatchObject({ code: 'NOT_READY' });
    await expect(sign(upload.id, 'large.bin', 2, slices[1]!)).rejects.toMatchObject({ code: 'NOT_READY' });
    expect(await api.control.abortUpload(LOCAL, upload.id)).toMatchObject({ state: 'ABORTED' });
  });

  it('may be READY, as long as no import has used it', async () => {
    const [unused, used] = [await readyUpload(), await readyUpload()];
    expect(await api.control.abortUpload(LOCAL, unused)).toMatchObject({ state: 'ABORTED' });
    await api.control.importDataset(LOCAL, { name: 'used', path: `upload:${used}`, idempotencyKey: newId('key') });
    await api.control.importsIdle();
    await expect(api.control.abortUpload(LOCAL, used)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect([await held(unused), await held(used)]).toEqual([[], ['small.bin']]);
  });

  it('while it is completed leaves nothing behind', async () => {
    const { id, part } = await smallUpload();
    await send(part, small);
    const completing = vi.spyOn(api.store.incoming, 'complete').mockImplementationOnce(async (...of) => {
      await api.control.abortUpload(LOCAL, id);
      await api.store.put(of[0], small);
      return { state: 'complete' };
    });
    await expect(complete(id)).rejects.toMatchObject({ code: 'NOT_READY' });
    completing.mockRestore();
    expect(await held(id)).toEqual([]);
    expect((await stateOf(id)).state).toBe('ABORTED');
  });
});

describe('the sweep', () => {
  const later = (ms: number) => ({ now: () => new Date(Date.now() + ms), sleep: api.options.clock.sleep });
  const sweep = async (ms: number) => await createUploadSweep({ ...api.options, clock: later(ms) }).once();

  it('expires what nobody sends or imports, and nothing sooner', async () => {
    const { id: open, part } = await smallUpload();
    await send(part, small);
    const ready = await readyUpload();
    const used = await readyUpload();
    await api.control.importDataset(LOCAL, { name: 'kept', path: `upload:${used}`, idempotencyKey: newId('key') });
    await api.control.importsIdle();
    await sweep(HOUR_MS - 60_000);
    expect([(await stateOf(open)).state, (await stateOf(ready)).state]).toEqual(['OPEN', 'READY']);
    await sweep(HOUR_MS + 60_000);
    expect([(await stateOf(open)).state, (await stateOf(ready)).state]).toEqual(['EXPIRED', 'EXPIRED']);
    expect([await held(open), await held(ready)]).toEqual([[], []]);
    expect(await stateOf(used)).toMatchObject({ state: 'READY', expiresAt: null });
    expect(await held(used)).toEqual(['small.bin']);
    await expect(complete(open)).rejects.toMatchObject({ code: 'NOT_READY' });
  });

  it('lets an upload live for which parts are asked', async () => {
    const { id } = await smallUpload();
    const control = createControl({ ...api.options, clock: later(HOUR_MS / 2) });
    await control.signUploadParts(LOCAL, {
      uploadId: id,
      parts: [{ path: 'a/small.bin', number: 1, sha256: sha256(small) }],
    });
    await sweep(HOUR_MS + 60_000);
    expect((await stateOf(id)).state).toBe('OPEN');
    await sweep(2 * HOUR_MS);
    expect((await stateOf(id)).state).toBe('EXPIRED');
  });

  it('takes an upload whose only import failed', async () => {
    const id = await readyUpload();
    api.importer.contents.set(`upload:${id}/a/small.bin`, new PushforwardError('CORRUPT_IMAGE', 'bad'));
    await api.control.importDataset(LOCAL, { name: 'bad', path: `upload:${id}`, idempotencyKey: newId('key') });
    await api.control.importsIdle();
    await sweep(HOUR_MS + 60_000);
    expect((await stateOf(id)).state).toBe('EXPIRED');
  });

  it('frees in the next round what the store would not let go in this one', async () => {
    const { id } = await smallUpload();
    const failing = vi
      .spyOn(api.store.incoming, 'abort')
      .mockRejectedValue(new PushforwardError('STORE_UNAVAILABLE', 'away'));
    await expect(api.control.abortUpload(LOCAL, id)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await sweep(0);
    const freed = async () =>
      (await api.db.selectFrom('uploads').select('freed_at').where('id', '=', id).executeTakeFirstOrThrow()).freed_at;
    expect([(await stateOf(id)).state, await freed()]).toEqual(['ABORTED', null]);
    failing.mockRestore();
    await sweep(0);
    expect(await freed()).toBeInstanceOf(Date);
  });

  it('takes an upload once the version that was made of it is deleted', async () => {
    const id = await readyUpload();
    const { version } = await api.control.importDataset(LOCAL, {
      name: 'deleted later',
      path: `upload:${id}`,
      idempotencyKey: newId('key'),
    });
    await api.control.importsIdle();
    const [made] = await api.control.read(LOCAL).datasetVersionsById([version.id]);
    await sweep(HOUR_MS + 60_000);
    expect(await held(id)).toEqual(['small.bin']);
    await api.db
      .updateTable('artifacts')
      .set({ state: 'DELETED', deleted_at: new Date() })
      .where('id', '=', made!.version.artifactId!)
      .execute();
    await sweep(HOUR_MS + 60_000);
    expect([(await stateOf(id)).state, await held(id)]).toEqual(['EXPIRED', []]);
  });

  it('looks at an upload that ended once more, for what was completed by a service that then died', async () => {
    const { id } = await smallUpload();
    await api.control.abortUpload(LOCAL, id);
    await api.store.put(`projects/default/uploads/${id}/a/small.bin`, small);
    await sweep(HOUR_MS - 60_000);
    expect(await held(id)).toEqual(['small.bin']);
    await sweep(HOUR_MS + 60_000);
    expect(await held(id)).toEqual([]);
  });

  it('takes them a page at a time', async () => {
    const all = await api.catalog.overdueUploads(new Date(Date.now() + 100 * HOUR_MS), '', 1000);
    const paged: string[] = [];
    for (let after = ''; ;) {
      const page = await api.catalog.overdueUploads(new Date(Date.now() + 100 * HOUR_MS), after, 1);
      if (page.length === 0) break;
      paged.push(...page.map(({ uploadId }) => uploadId));
      after = page[0]!.uploadId;
    }
    expect(paged.length).toBeGreaterThan(1);
    expect(paged).toEqual(all.map(({ uploadId }) => uploadId));
  });

  it('and an import at the same moment leave either the upload or no import', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await readyUpload();
      const input = { name: `race ${round}`, path: `upload:${id}`, idempotencyKey: newId('key') };
      const [imported] = await Promise.allSettled([api.control.importDataset(LOCAL, input), sweep(HOUR_MS + 60_000)]);
      const { state } = await stateOf(id);
      expect([imported.status, state]).toEqual(
        imported.status === 'fulfilled' ? ['fulfilled', 'READY'] : ['rejected', 'EXPIRED'],
      );
    }
    await api.control.importsIdle();
  });
});

describe('an import of an upload', () => {
  const importOf = (path: string) =>
    api.control.importDataset(LOCAL, { name: newId('name'), path, idempotencyKey: newId('key') });

  it('reads its one file, all its files, or those that are named', async () => {
    const one = await readyUpload();
    expect((await importOf(`upload:${one}`)).version.source).toMatchObject({
      path: `upload:${one}/a/small.bin`,
      asked: `upload:${one}`,
    });
    const files = ['train/1', 'train/2', 'test/1'].map((path) => ({
      path,
      bytes: small.length,
      sha256: sha256(small),
    }));
    const { upload, parts } = await create(files);
    for (const part of parts) await send(part, small);
    await complete(upload.id);
    expect((await importOf(`upload:${upload.id}`)).version.source.path).toBe(`upload:${upload.id}`);
    expect((await importOf(`upload:${upload.id}/train/`)).version.source.path).toBe(`upload:${upload.id}/train`);
    await expect(importOf(`upload:${upload.id}/tra`)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    await expect(importOf(`upload:${upload.id}/../x`)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    await api.control.importsIdle();
  });

  it('is refused as long as it is not complete, and of another project', async () => {
    const { id } = await smallUpload();
    await expect(importOf(`upload:${id}`)).rejects.toMatchObject({ code: 'NOT_READY' });
    await expect(importOf('upload:upl_none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await api.catalog.ensureProject({ id: 'stranger', name: 'stranger' });
    const ready = await readyUpload();
    const stranger = { projectId: 'stranger', actor: 'stranger' };
    const input = { name: 'theirs', path: `upload:${ready}`, idempotencyKey: newId('key') };
    await expect(api.control.importDataset(stranger, input)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const ask of [
      () => api.control.completeUpload(stranger, ready),
      () => api.control.abortUpload(stranger, ready),
      () => api.control.signUploadParts(stranger, { uploadId: ready, parts: [{ path: 'a', number: 1, sha256: '' }] }),
    ]) {
      await expect(ask()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

it('the search for orphans knows the files of uploads, and which of them are missing', async () => {
  const id = await readyUpload();
  const { id: open } = await smallUpload();
  const ended = await readyUpload();
  await api.db.updateTable('uploads').set({ state: 'EXPIRED' }).where('id', '=', ended).execute();
  const stray = `projects/default/uploads/${newId('upl')}/stray.bin`;
  await api.store.put(stray, small);
  const orphans = async () => {
    const { young, rowWithoutStore } = await api.control.retention.orphans(LOCAL, 1);
    return { young: young.count, missing: rowWithoutStore.examples.map(({ key }) => key) };
  };
  const before = await orphans();
  expect(before.missing.filter((key) => [id, open, ended].some((one) => key.includes(one)))).toEqual([]);
  await api.store.delete(stray);
  expect((await orphans()).young).toBe(before.young - 1);
  for (const one of [id, ended]) await api.store.delete(`projects/default/uploads/${one}/a/small.bin`);
  const found = (await orphans()).missing.filter((key) => [id, open, ended].some((one) => key.includes(one)));
  expect(found).toEqual([`projects/default/uploads/${id}/a/small.bin`]);
});
