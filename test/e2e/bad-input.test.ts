/** What a user sees of bad input, the whole way through a started service, and that the service takes no harm by it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow, importEnded, importReady, launch, output, registerPrior, runOf } from '../support/api-steps.ts';
import { hugePng, parquetBomb } from '../support/bad-images.ts';
import { gzipped, picture, pictures, writeFolder, writeParquet, writeTar } from '../support/image-sources.ts';
import { writeCifarBatch, writeIdx } from '../support/raw-sources.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';
import { until } from '../support/until.ts';

let folder: string;
let service: ServiceProcess;
let good: string;
let priorId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-bad-'));
  service = await startServiceProcess(join(folder, 'state'));
  good = await writeFolder(join(folder, 'good'), await pictures({ a: 4, b: 4 }));
  await writeTinyPrior(join(folder, 'prior'));
  priorId = await registerPrior(service.client, join(folder, 'prior'));
});

afterAll(async () => {
  expect(await service.end()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

/** The service is well, has left nothing lying about, and imports what is good. */
async function unharmed() {
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  expect(await readdir(join(folder, 'state/temporary'))).toEqual([]);
  expect(await importReady(service.client, { name: 'good', path: good })).toMatchObject({ images: 8 });
}

/** Errors say what was expected, what was received and what to do. */
const SAYS = /expected .+, got .+: .+/s;

interface Bad {
  what: string;
  /** Makes it in the folder; answers with its path. */
  make: (root: string) => Promise<string>;
  code: string;
  message: RegExp;
  split?: string;
  classes?: string[];
}

const text = (value: string) => Buffer.from(value);

const IMPORTS: Bad[] = [
  {
    what: 'a tar that ends early',
    make: async (root) => {
      const path = await writeTar(join(root, 'cut.tar'), await pictures({ a: 20 }));
      await writeFile(path, (await readFile(path)).subarray(0, 9000));
      return path;
    },
    code: 'SOURCE_UNREADABLE',
    message: /cut\.tar.*byte 9000 of the tar/,
  },
  {
    what: 'a tar.gz that ends early',
    make: async (root) => {
      const tar = await readFile(await writeTar(join(root, 'whole.tar'), await pictures({ a: 20 })));
      const path = await gzipped(join(root, 'cut.tar.gz'), tar);
      const bytes = await readFile(path);
      await writeFile(path, bytes.subarray(0, bytes.length - 100));
      return path;
    },
    code: 'SOURCE_UNREADABLE',
    message: /cut\.tar\.gz.*of the tar \(byte \d+ of the file\)/,
  },
  {
    what: 'a tar with a path that leads out of it',
    make: async (root) => await writeTar(join(root, 'slip.tar'), { '../../a/1.png': await picture(1) }),
    code: 'UNSAFE_PATH',
    message: /paths below the root of .*slip\.tar, got "\.\.\/\.\.\/a\/1\.png"/,
  },
  {
    what: 'Parquet without the columns',
    make: async (root) => {
      const columnData = [
        { name: 'picture', data: ['x'] },
        { name: 'kind', data: ['y'] },
      ];
      const path = join(root, 'columns.parquet');
      await writeFile(path, new Uint8Array(parquetWriteBuffer({ columnData })));
      return path;
    },
    code: 'INVALID_INPUT',
    message: /one image column and one label column \(image, label\) in .*columns\.parquet, got picture, kind/,
  },
  {
    what: 'Parquet that ends early',
    make: async (root) => {
      const path = await writeParquet(join(root, 'cut.parquet'), await pictures({ a: 9 }), null);
      await writeFile(path, (await readFile(path)).subarray(0, 500));
      return path;
    },
    code: 'SOURCE_UNREADABLE',
    message: /whole Parquet file in .*cut\.parquet/,
  },
  {
    what: 'a label of Parquet out of range',
    make: async (root) => await writeParquet(join(root, 'range.parquet'), await pictures({ a: 3, b: 1 }), ['a']),
    code: 'INVALID_INPUT',
    message: /label of 0 to 0 for row 3 of .*range\.parquet, got -1: choose a split that has labels/,
  },
  {
    what: 'a label of IDX out of range',
    make: async (root) => {
      const path = await writeIdx(join(root, 'idx'), 'train', { width: 2, height: 2, labels: [0, 9] });
      await writeFile(join(root, 'idx/classes.txt'), 'zero\none\n');
      return path;
    },
    code: 'INVALID_INPUT',
    message: /label of 0 to 1 for train-images-idx3-ubyte#1, got 9/,
  },
  {
    what: 'a label of CIFAR out of range',
    make: async (root) => {
      await writeCifarBatch(join(root, 'cifar/data_batch_1.bin'), [[0], [200]]);
      await writeFile(join(root, 'cifar/batches.meta.txt'), 'cat\ndog\n');
      return join(root, 'cifar');
    },
    code: 'INVALID_INPUT',
    message: /label of 0 to 1 for data_batch_1\.bin#1, got 200/,
  },
  {
    what: 'a class without an image',
    make: async (root) => {
      await writeFolder(join(root, 'empty'), { ...(await pictures({ a: 2 })), 'bird/sketch.psd': text('x') });
      return join(root, 'empty');
    },
    code: 'EMPTY_CLASS',
    message: /images in every class of .*empty, got none in bird: .*passed over 1.*bird\/sketch\.psd/,
  },
  {
    what: 'a class that is asked for and not there',
    make: async (root) => await writeFolder(join(root, 'some'), await pictures({ a: 2 })),
    classes: ['a', 'wolf'],
    code: 'EMPTY_CLASS',
    message: /got none in wolf: choose from the classes that are there/,
  },
  {
    what: 'a folder without classes',
    make: async (root) => await writeFolder(join(root, 'flat'), { '1.png': await picture(1) }),
    code: 'INVALID_INPUT',
    message: /images in class folders .*flat, got none/,
  },
  {
    what: 'two splits and none asked for',
    make: async (root) =>
      await writeFolder(join(root, 'splits'), { 'train/a/1.png': await picture(1), 'val/a/1.png': await picture(2) }),
    code: 'INVALID_INPUT',
    message: /one split in .*splits, got train, validation: choose one with split/,
  },
  {
    what: 'a split that is not there',
    make: async (root) => await writeFolder(join(root, 'one'), { 'train/a/1.png': await picture(1) }),
    split: 'test',
    code: 'INVALID_INPUT',
    message: /split test in .*one, got train: choose one of these/,
  },
  {
    what: 'a zip bomb',
    make: async (root) => {
      const zeros = { 'a/1.png': await picture(1), 'a/zeros.raw': new Uint8Array(100 * 1024 * 1024) };
      return await gzipped(join(root, 'bomb.tar.gz'), await readFile(await writeTar(join(root, 'bomb.tar'), zeros)));
    },
    code: 'LIMIT_EXCEEDED',
    message: /at most 250 times the compressed bytes in .*bomb\.tar\.gz/,
  },
  {
    what: 'a Parquet bomb',
    make: async (root) => {
      await writeFile(join(root, 'bomb.parquet'), parquetBomb());
      return join(root, 'bomb.parquet');
    },
    code: 'LIMIT_EXCEEDED',
    message: /row groups of at most 1073741824 bytes once decoded in .*bomb\.parquet, got one of at least 2\d{9}: /,
  },
  {
    what: 'a file of another kind',
    make: async (root) => {
      await writeFile(join(root, 'images.zip'), 'PK\x03\x04 and more');
      return join(root, 'images.zip');
    },
    code: 'INVALID_INPUT',
    message: /got a zip file at .*images\.zip/,
  },
];

describe('an import of', () => {
  it.each(IMPORTS)('$what is refused in words, and nothing is left of it', async (bad) => {
    const root = await mkdtemp(join(folder, 'bad-'));
    const { make, code, message, split, classes } = bad;
    const ended = await importEnded(service.client, {
      name: 'bad',
      path: await make(root),
      ...(split ? { split } : {}),
      ...(classes ? { classes } : {}),
    });
    expect(ended).toMatchObject({ state: 'FAILED', error: { code, message: expect.stringMatching(message) as never } });
    expect(ended.error!.message).toMatch(SAYS);
    await unharmed();
  });
});

describe('a run over', () => {
  const distil = async (name: string, path: string, prior = priorId) => {
    const version = await importReady(service.client, { name, path });
    const { run } = await launch(service.client, { datasetVersionId: version.id, priorId: prior, imagesPerClass: 2 });
    await follow(service.client, run.id);
    return await runOf(service.client, run.id);
  };

  it('images whose extensions lie goes by what they are', async () => {
    const files = await pictures({ a: 5, b: 5 });
    const jpeg = await sharp(await picture(50, 8))
      .jpeg()
      .toBuffer();
    const path = await writeFolder(join(folder, 'liars'), {
      ...files,
      'a/really.png': jpeg,
      'b/png.jpg': await picture(51),
    });
    expect(await distil('liars', path)).toMatchObject({ state: 'SUCCEEDED', failure: null });
  });

  it('a text that is called an image says which and what it is', async () => {
    const files = { ...(await pictures({ a: 5, b: 5 })), 'b/notes.png': text('this is no picture at all') };
    const run = await distil('text', await writeFolder(join(folder, 'text'), files));
    expect(run).toMatchObject({ state: 'FAILED', failure: { code: 'CORRUPT_IMAGE', class: 'userError' } });
    expect(run.failure!.message).toMatch(/class b.*b\/notes\.png.*JPEG, PNG, WebP/);
    await unharmed();
  });

  it('an image that would fill the memory refuses it from its header', async () => {
    const files = { ...(await pictures({ a: 5, b: 5 })), 'a/bomb.png': hugePng(60_000, 60_000) };
    const run = await distil('bomb', await writeFolder(join(folder, 'image-bomb'), files));
    expect(run).toMatchObject({ state: 'FAILED', failure: { code: 'IMAGE_TOO_LARGE', class: 'userError' } });
    expect(run.failure!.message).toMatch(/a\/bomb\.png.*at most 100000000 pixels, got 60000x60000: /);
    await unharmed();
  });

  it('classes that differ by case keeps them apart, in folders that differ everywhere', async () => {
    const tar = await writeTar(join(folder, 'case.tar'), await pictures({ Cat: 5, cat: 5 }));
    await writeTinyPrior(join(folder, 'any-classes'), { denoiser: false, teacher: false });
    const run = await distil('case', tar, await registerPrior(service.client, join(folder, 'any-classes')));
    expect(run).toMatchObject({ state: 'SUCCEEDED', classFigures: [{ className: 'Cat' }, { className: 'cat' }] });
    const { bytes } = await output(service.client, run, 'manifest.json');
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({
      classes: ['Cat', 'cat'],
      renamedFolders: [{ className: 'cat', folder: 'cat~2' }],
    });
  });
});

it('a download link that has expired says so, and a new one works', async () => {
  const { id } = await importReady(service.client, { name: 'good', path: good });
  const link = async (expiresSeconds: number) => {
    const query = `query($id: ID!) { datasetVersion(id: $id) { artifact { blobs { downloadUrl(expiresSeconds: ${expiresSeconds}) } } } }`;
    const answer = await fetch(`${service.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { id } }),
    });
    const { data } = (await answer.json()) as {
      data: { datasetVersion: { artifact: { blobs: { downloadUrl: string }[] } } };
    };
    return data.datasetVersion.artifact.blobs[0]!.downloadUrl;
  };
  const short = await link(1);
  const refused = await until(async () => {
    const answer = await fetch(short);
    await answer.arrayBuffer();
    return answer.ok ? null : await fetch(short);
  });
  const body = (await refused.json()) as { code: string; message: string };
  expect([refused.status, body.code]).toEqual([403, 'FORBIDDEN']);
  expect(body.message).toMatch(/not expired, got one that expired at \d{4}-.*: ask/);
  expect((await fetch(await link(60))).status).toBe(200);
});
