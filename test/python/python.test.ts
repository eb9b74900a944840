import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWebhookHttp } from '../../src/adapters/http/index.ts';
import { sha256 } from '../../src/base/json.ts';
import { sampleEvent } from '../../src/control/webhooks/samples.ts';
import { type Files, pictures, writeFolder } from '../support/image-sources.ts';
import { GLYPHS, importReady } from '../support/api-steps.ts';
import { skippedWithout } from '../support/needed.ts';
import { pythonEnvironment } from '../support/python.ts';
import { ROOT, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const requirements = (await readFile(join(import.meta.dirname, 'requirements.txt'), 'utf8'))
  .split('\n')
  .filter(Boolean);
const { python, missing } = await pythonEnvironment({
  requirements,
  system: { modules: ['torch', 'torchvision'], debian: ['python3-torch', 'python3-torchvision'] },
});
const skipped = skippedWithout(missing);

interface Row {
  pixels: string;
  label: number | string;
  weight: number;
  soft_label: number[];
  class?: string;
  point: number;
  cell_count: number;
}

interface Loaded {
  names: string[];
  parquet: { features: Record<string, string>; rows: Row[] };
  card: { features: Record<string, string>; rows: Row[] };
  imagefolder: { features: Record<string, string>; rows: Row[] };
  torchvision: { classes: string[]; rows: [string, number][] };
  webdataset: (Row & { cls: number })[];
}

describe.skipIf(skipped)('with the real Python packages', () => {
  let folder: string;
  let out: string;

  const program = (name: string) => join(import.meta.dirname, name);
  const run = async (script: string, ...args: string[]) => {
    const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(folder, 'huggingface') };
    const options = { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)(python!, [script, ...args], options)).stdout;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-python-'));
    out = join(folder, 'out');
    const env = { ...process.env, PUSHFORWARD_STATE_DIR: join(folder, 'state') };
    await promisify(execFile)(process.execPath, [join(ROOT, 'dist/main.js'), 'quickstart', '--out', out], { env });
  });

  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  describe('what quickstart exports', () => {
    let loaded: Loaded;
    beforeAll(async () => {
      loaded = JSON.parse(await run(program('load_exports.py'), out, join(folder, 'cache'))) as Loaded;
    });

    it('is Parquet with typed columns, by the file and by the card', async () => {
      const { classes, images } = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')) as {
        classes: string[];
        images: number;
      };
      const { features, rows } = loaded.parquet;
      expect(features).toEqual({
        image: 'Image(mode=None, decode=True)',
        label: `ClassLabel(names=[${classes.map((name) => `'${name}'`).join(', ')}])`,
        weight: "Value('float32')",
        soft_label: "List(Value('float32'))",
        class: "Value('string')",
        point: "Value('int32')",
        cell_count: "Value('int32')",
      });
      expect(loaded.names).toEqual(classes);
      expect(rows).toHaveLength(images);
      expect(rows.reduce((sum, row) => sum + row.weight, 0) / images).toBeCloseTo(1, 5);
      for (const row of rows) {
        expect(row.class).toBe(classes[row.label as number]);
        expect(row.soft_label).toHaveLength(classes.length);
        expect(row.soft_label.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
      }
      expect(loaded.card).toEqual(loaded.parquet);
    });

    it('is the same as an image folder with metadata, whose classes torchvision finds in the same order', () => {
      const named = ({ class: name, ...row }: Row) => ({ ...row, label: name });
      expect(byPixels(loaded.imagefolder.rows)).toEqual(byPixels(loaded.parquet.rows.map(named)));
      expect(loaded.torchvision.classes).toEqual(loaded.names);
      const labels = loaded.parquet.rows.map((row) => `${row.pixels} ${row.label}`);
      expect(loaded.torchvision.rows.map(([pixels, label]) => `${pixels} ${label}`).sort()).toEqual(labels.sort());
    });

    it('loads by each line of its card as it stands', async () => {
      const samples = JSON.parse(await run(program('run_card.py'), out)) as Record<string, number>;
      expect(Object.keys(samples)).toHaveLength(4);
      expect(new Set(Object.values(samples))).toEqual(new Set([loaded.parquet.rows.length]));
    });

    it('is the same as WebDataset shards', () => {
      const rows = loaded.parquet.rows.map((row) => ({ ...row, cls: row.label }));
      expect(byPixels(loaded.webdataset)).toEqual(byPixels(rows));
    });
  });

  it('the example trains on it, and knows real letters that it never saw, however they are numbered', async () => {
    const example = join(ROOT, 'deploy/examples/train_pytorch.py');
    const test = join(folder, 'test.parquet');
    await run(program('renumber.py'), join(GLYPHS.prior, 'dataset/test.parquet'), test);
    const told = await run(example, join(out, 'train.parquet'), '15', test);
    const [, accuracy, images] = /^accuracy ([\d.]+) of (\d+) images$/m.exec(told)!;
    expect(images).toBe('1000');
    // By chance 0.1; 0.839 with PyTorch 1.13.1.
    expect(Number(accuracy)).toBeGreaterThan(0.6);
  });

  it('the receiver of webhooks verifies them with the official library, and trains once on what each tells of', async () => {
    const table = await readFile(join(out, 'train.parquet'));
    const files = createServer((_, response) => void response.end(table)).listen(0, '127.0.0.1');
    await once(files, 'listening');
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
    const receiver = spawn(python!, [join(ROOT, 'deploy/examples/webhook_receiver.py'), '0', '1'], {
      cwd: folder,
      env: { ...process.env, WEBHOOK_SECRET: secret, HF_HUB_OFFLINE: '1', HF_HOME: join(folder, 'huggingface') },
    });
    let said = '';
    for (const stream of [receiver.stdout, receiver.stderr])
      stream.on('data', (data: Buffer) => (said += data.toString()));
    const sender = createWebhookHttp({ allow: ['127.0.0.0/8'], userAgent: 'Pushforward' });
    try {
      const [, port] = await until(() => /^listening on (\d+)$/m.exec(said), 'the receiver', 60_000);
      const event = sampleEvent('alias.promoted', 'default') as { data: { training: Record<string, unknown> } };
      const { port: filesPort } = files.address() as AddressInfo;
      event.data.training['url'] = `http://127.0.0.1:${filesPort}/`;
      const send = async (id: string, secrets: string[]) => {
        const request = { id, url: `http://127.0.0.1:${port}/`, headers: {}, body: JSON.stringify(event), secrets };
        return (await sender.send(request, new AbortController().signal)).result;
      };
      expect(await send('msg_0', [other])).toMatchObject({ kind: 'answered', status: 401 });
      // during a rotation the new secret is not known here yet
      expect(await send('msg_1', [other, secret])).toMatchObject({ kind: 'answered', status: 202 });
      expect(await send('msg_1', [secret])).toMatchObject({ status: 202 });
      await until(() => said.includes('pushforward.alias.promoted production: trained'), 'the training', 200_000);
      expect(said.match(/^epoch 1: loss/gm)).toHaveLength(1);
    } finally {
      sender.close();
      receiver.kill();
      files.close();
    }
  });

  describe('what the packages write', () => {
    let service: ServiceProcess;
    let images: Files;
    beforeAll(async () => {
      service = await startServiceProcess(join(folder, 'importing'));
      images = await pictures({ cat: 7, dog: 5, 'night owl': 4 });
      await writeFolder(join(folder, 'images'), images);
      await run(program('write_sources.py'), join(folder, 'images'), join(folder, 'written'));
      await access(join(folder, 'written/webdataset/000003.tar'));
    });
    afterAll(async () => {
      expect(await service.end()).toBe(0);
    });

    it('is imported as the same version in every format', async () => {
      const digests: string[] = [];
      for (const [name, path] of Object.entries({
        folder: 'images',
        hf: 'written/parquet',
        wds: 'written/webdataset',
      })) {
        const version = await importReady(service.client, { name, path: join(folder, path) });
        expect(version.images).toBe(Object.keys(images).length);
        digests.push(version.digest);
      }
      expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
      expect(new Set(digests).size).toBe(1);
    });
  });

  it('has classes and images that the writers were given', async () => {
    const { scanned } = await import('../support/scanned.ts');
    const images = await pictures({ cat: 7, dog: 5, 'night owl': 4 });
    const expected = Object.entries(images).map(([path, bytes]) => `${path.split('/')[0]} ${sha256(bytes)}`);
    for (const format of ['parquet', 'webdataset']) {
      const found = await scanned(join(folder, 'written', format));
      expect(found.images.map((image) => `${image.className} ${image.sha256}`).sort()).toEqual(expected.sort());
    }
  });
});

function byPixels<T extends { pixels: string }>(rows: T[]): T[] {
  return [...rows].sort((a, b) => (a.pixels < b.pixels ? -1 : 1));
}
