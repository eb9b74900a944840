/** The command over the real API and a directory store. */
import { appendFile, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type ApiClient, createApiClient } from '../../src/cli/client.ts';
import { localFiles } from '../../src/cli/local-files.ts';
import { createProgress } from '../../src/cli/progress.ts';
import { upload } from '../../src/cli/upload.ts';
import { bundles, partsOf } from '../../src/cli/upload-parts.ts';
import { startTestApi, type TestApi } from '../api/client.ts';

const MIB = 1024 ** 2;
const never = new AbortController().signal;
const progress = createProgress(Object.assign(new PassThrough().resume(), { isTTY: false }) as never);

let api: TestApi;
let folder: string;
beforeAll(async () => (api = await startTestApi()), 60_000);
afterAll(() => api?.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-upload-'));
  vi.spyOn(systemClock, 'sleep').mockResolvedValue();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const large = Uint8Array.from({ length: 33 * MIB }, (_, index) => (index * 31) % 253);
const write = async (path: string, content: string | Uint8Array) => {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
};
const send = (of: {
  resume?: string;
  client?: ApiClient;
  interrupt?: AbortSignal;
  paths?: string[];
  parallel?: number;
}) =>
  upload(
    of.client ?? createApiClient(api.url),
    { paths: of.paths ?? [folder], resume: of.resume, parallel: of.parallel ?? 2 },
    progress,
    of.interrupt ?? never,
  );
const uploaded = async (path: string): Promise<Record<string, Uint8Array>> => {
  const prefix = `projects/default/uploads/${path.replace('upload:', '')}/`;
  const found: Record<string, Uint8Array> = {};
  for await (const { key } of api.store.list(prefix)) found[key.slice(prefix.length)] = await api.store.get(key);
  return found;
};

/** A client whose every answer goes through the test's hands. */
function through(
  change: (operation: string, answer: never, count: number) => unknown,
): ApiClient & { counts: Record<string, number> } {
  const client = createApiClient(api.url);
  const counts: Record<string, number> = {};
  return {
    ...client,
    counts,
    async send<T>(operation: string, variables: Record<string, unknown>) {
      const answer = await client.send<T>(operation, variables);
      counts[operation] = (counts[operation] ?? 0) + 1;
      change(operation, answer as never, counts[operation]);
      return answer;
    },
  };
}
type Signed = { signUploadParts: { parts: { url: string }[] } };
const broken = (url: string) => url.replace(/signature=[^&]+/, 'signature=AAAA');

describe('an upload', () => {
  it('holds every file of a folder with its path, in parts where it is large', async () => {
    await write('train/cat/1.bin', large);
    await write('train/dog/1.bin', 'dog');
    await write('labels.txt', 'cat\ndog\n');
    await write('.hidden/a', 'x');
    await write('empty', '');
    const found = await uploaded(await send({}));
    expect(Object.keys(found)).toEqual(['labels.txt', 'train/cat/1.bin', 'train/dog/1.bin']);
    expect(Buffer.compare(found['train/cat/1.bin']!, large)).toBe(0);
    expect(Buffer.from(found['train/dog/1.bin']!).toString()).toBe('dog');
  });

  it('asks for many small files in few requests', async () => {
    for (let i = 0; i < 250; i++) await write(`${i}.txt`, `file ${i}`);
    const client = through(() => {});
    const found = await uploaded(await send({ client }));
    expect(Object.keys(found)).toHaveLength(250);
    expect(client.counts['SignUploadParts']).toBe(3);
  });

  it('asks for a URL again where one is refused, and sends the part again', async () => {
    await write('a.bin', 'content');
    const client = through((operation, answer: Signed, count) => {
      if (operation === 'SignUploadParts' && count <= 2) {
        for (const part of answer.signUploadParts.parts) part.url = broken(part.url);
      }
    });
    expect(Object.keys(await uploaded(await send({ client })))).toEqual(['a.bin']);
    expect(client.counts['SignUploadParts']).toBe(3);
  });

  it('sends what the service finds missing', async () => {
    await write('a.bin', 'content');
    const client = through((operation, answer: Signed, count) => {
      // A store that says that it took what it did not.
      if (operation === 'SignUploadParts' && count === 1) {
        answer.signUploadParts.parts[0]!.url = `data:,lost`;
      }
    });
    expect(Object.keys(await uploaded(await send({ client })))).toEqual(['a.bin']);
    expect(client.counts).toMatchObject({ SignUploadParts: 2 });
  });

  it('gives up in the end, says why, and can be resumed', async () => {
    await write('a.bin', large);
    await write('b.bin', 'content');
    const refusing = through((operation, answer: Signed) => {
      if (operation !== 'SignUploadParts') return;
      for (const part of answer.signUploadParts.parts) if (part.url.includes('part=2')) part.url = broken(part.url);
    });
    const failed = await send({ client: refusing }).catch((error: { code: string; message: string }) => error);
    expect(failed).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/part 2 of a\.bin, got HTTP 403 .*6 times.*--resume upload:upl_\w+`/) as string,
    });
    const resume = /upload:upl_\w+/.exec((failed as { message: string }).message)![0];
    const client = through(() => {});
    expect(await send({ client, resume })).toBe(resume);
    const found = await uploaded(resume);
    expect(Buffer.compare(found['a.bin']!, large)).toBe(0);
    expect(Buffer.from(found['b.bin']!).toString()).toBe('content');
    await write('c.bin', 'another');
    await expect(send({ resume })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('is not resumed with a file that is another by now, also one with the times of the first', async () => {
    await write('a.bin', large);
    await write('b.bin', 'content');
    const interrupt = new AbortController();
    const client = through((operation) => void (operation === 'SignUploadParts' && interrupt.abort()));
    const failed = await send({ client, interrupt: interrupt.signal }).catch((error: Error) => error);
    const resume = /upload:upl_\w+/.exec((failed as Error).message)![0];
    const { mtime } = await stat(join(folder, 'b.bin'));
    await write('b.bin', 'another');
    await utimes(join(folder, 'b.bin'), mtime, mtime);
    await expect(send({ resume })).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringMatching(/b\.bin as it was when upload:upl_\w+ was begun .*: begin another/) as string,
    });
  });

  it('stops where it is interrupted', async () => {
    await write('a.bin', large);
    const interrupt = new AbortController();
    const client = through((operation) => void (operation === 'SignUploadParts' && interrupt.abort()));
    await expect(send({ client, interrupt: interrupt.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
      message: expect.stringContaining('--resume') as string,
    });
  });

  it('is not completed with a file that was written to meanwhile', async () => {
    await write('a.bin', 'content');
    const writing: Promise<void>[] = [];
    const client = through((operation) => {
      if (operation === 'SignUploadParts') writing.push(appendFile(join(folder, 'a.bin'), 'more'));
    });
    const sending = send({ client });
    await expect(sending).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await Promise.all(writing);
  });
});

describe('the files of an upload', () => {
  it('are called as they are, or by their folder where there are several arguments', async () => {
    await write('one/a.txt', 'a');
    await write('two/b/c.txt', 'c');
    await symlink(join(folder, 'one/a.txt'), join(folder, 'two/link'));
    await symlink(join(folder, 'one'), join(folder, 'two/folder'));
    const names = async (...paths: string[]) =>
      (await localFiles(paths.map((path) => join(folder, path)))).files.map((file) => file.path);
    expect(await names('one/a.txt')).toEqual(['a.txt']);
    expect(await names('two')).toEqual(['b/c.txt', 'link']);
    expect(await names('one', 'two')).toEqual(['one/a.txt', 'two/b/c.txt', 'two/link']);
    await expect(names('one/a.txt', 'one/a.txt')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(names('none')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('that are left out are counted', async () => {
    await write('some/a.txt', 'a');
    await write('some/empty', '');
    await write('some/.hidden', 'x');
    await write('some/.git/objects/1', 'x');
    const { leftOut } = await localFiles([join(folder, 'some')]);
    expect(leftOut).toEqual({ hidden: 2, empty: 1 });
  });

  it('are refused where there are more than the service takes, before it is asked', async () => {
    await Promise.all(Array.from({ length: 1001 }, (_, i) => write(`many/${i}.txt`, 'x')));
    const client = through(() => {});
    const refused = { code: 'LIMIT_EXCEEDED', message: expect.stringContaining('pack them into a tar') as string };
    await expect(send({ client, paths: [join(folder, 'many')] })).rejects.toMatchObject(refused);
    expect(client.counts).toEqual({});
  });

  it('that are none are refused', async () => {
    await write('only/.hidden', 'x');
    await write('only/empty', '');
    await expect(localFiles([join(folder, 'only')])).rejects.toMatchObject({
      message: expect.stringContaining('got none with bytes') as string,
    });
  });
});

it('bundles hold every part once, in order, and no more than fits', () => {
  const file = (bytes: number) => ({ path: String(bytes), file: '', bytes, modifiedMs: 0, changedMs: 0 });
  const sizes = [...Array.from({ length: 230 }, () => 10), 40 * MIB, 9 * MIB, 9 * MIB, 1];
  const parts = sizes.flatMap((bytes) =>
    partsOf({ partBytes: 16 * MIB, partCount: Math.ceil(bytes / (16 * MIB)) }, file(bytes)),
  );
  const made = bundles(parts);
  expect(made.flat()).toEqual(parts);
  for (const bundle of made) {
    expect(bundle.length).toBeLessThanOrEqual(100);
    const bytes = bundle.reduce((sum, part) => sum + part.bytes, 0);
    expect(bytes).toBeLessThanOrEqual(bundle.length === 1 ? Infinity : 16 * MIB);
  }
  // The parts of the large file are two of 16 MiB and one of 8, which the next would not fit with.
  expect(made.map((bundle) => bundle.length)).toEqual([100, 100, 30, 1, 1, 1, 1, 2]);
});
