/** Is it still the same data? Over the service as it is shipped, with its letters: other letters of the same typefaces are, letters of another class are not. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { drift } from '../../src/cli/drift.ts';
import { GLYPHS, importReady, launch, follow, registerPrior, runOf } from '../support/api-steps.ts';
import { type Files, writeFolder } from '../support/image-sources.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

const CLASSES = ['A', 'B', 'C', 'D'];

let service: ServiceProcess;
let folder: string;
let reference: string;
/** Letters by class, in two halves that their digests choose. */
let halves: Record<string, Uint8Array[]>[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-drift-'));
  halves = await letters();
  service = await startServiceProcess(join(folder, 'state'));
  const { client } = service;
  const version = await importReady(client, { name: 'letters', path: await folderOf(halves[0]!) });
  const priorId = await registerPrior(client, GLYPHS.prior);
  const { run } = await launch(client, {
    ...{ datasetVersionId: version.id, priorId, imagesPerClass: 5, holdout: 0.4, decoder: { mode: 'VAE' } },
    ...{ quantizer: { restarts: 2 }, compare: { mode: 'OFF' }, survey: { mode: 'OFF' }, labels: { mode: 'NONE' } },
  });
  reference = run.id;
  await follow(client, reference);
  expect(await runOf(client, reference)).toMatchObject({ state: 'SUCCEEDED', failure: null });
}, 120_000);

afterAll(async () => {
  expect(await service.end()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

async function letters(): Promise<Record<string, Uint8Array[]>[]> {
  const file = await asyncBufferFromFile(GLYPHS.dataset);
  const rows = await parquetReadObjects({ file, compressors, utf8: false });
  const names = CLASSES.map((name) => name.charCodeAt(0) - 'A'.charCodeAt(0));
  const found = [0, 1].map(() => Object.fromEntries(CLASSES.map((name) => [name, [] as Uint8Array[]])));
  for (const { image, label } of rows as { image: { bytes: Uint8Array }; label: bigint | number }[]) {
    const at = names.indexOf(Number(label));
    if (at < 0) continue;
    const half = createHash('sha256').update(image.bytes).digest()[0]! % 2;
    found[half]![CLASSES[at]!]!.push(image.bytes);
  }
  return found;
}

let folders = 0;

async function folderOf(classes: Record<string, Uint8Array[]>): Promise<string> {
  const files: Files = Object.fromEntries(
    Object.entries(classes).flatMap(([name, images]) => images.map((bytes, i) => [`${name}/${i}.png`, bytes])),
  );
  return await writeFolder(join(folder, `version-${folders++}`), files);
}

/** What the command prints, and what it writes. */
async function told(images: Record<string, Uint8Array[]> | null, more: object = {}) {
  const path = images && (await folderOf(images));
  const out = join(folder, 'out');
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const asked = { dataset: 'letters', against: reference, out, ...more };
    await drift(service.client, path, asked, new AbortController().signal);
    return {
      printed: write.mock.calls.map(([text]) => String(text)).join(''),
      found: JSON.parse(await readFile(join(out, 'drift.json'), 'utf8')) as {
        overall: { alarm: boolean; classesTested: number; fresh: number };
        classes: { className: string; state: string; drifted: boolean }[];
      },
      page: await readFile(join(out, 'report.html'), 'utf8'),
    };
  } finally {
    write.mockRestore();
  }
}

describe('pushforward drift', () => {
  it('finds nothing in other letters of the same kind, at what it costs to encode the sample', async () => {
    const { printed, found, page } = await told(halves[1]!);
    expect(found.overall).toMatchObject({ alarm: false, classesTested: 4 });
    expect(printed).toMatch(/No drift: 0 of 4 classes that were compared have drifted/);
    expect(page).toContain('like those that were held out');
    const { runs } = await service.client.send<{ runs: { nodes: { id: string; kind: string; costUsd: number }[] } }>(
      'Runs',
      { first: 1 },
    );
    const [run] = runs.nodes;
    expect(run).toMatchObject({ kind: 'DRIFT' });
    const { stages } = await runOf(service.client, run!.id);
    expect(stages.map(({ name, tasksTotal }) => [name, tasksTotal])).toEqual([
      ['sample', 4],
      ['encode', 4],
      ['drift', 4],
      ['verdict', 1],
    ]);
  });

  it('names the class whose letters are those of another', async () => {
    const { printed, found } = await told({ ...halves[1]!, A: halves[1]!['B']! });
    expect(found.overall.alarm).toBe(true);
    expect(found.classes.filter((one) => one.drifted).map((one) => one.className)).toEqual(['A']);
    expect(printed).toMatch(/^A +DRIFT/m);
  });

  it('sees that the images are those that were distilled, and takes no model to tell', async () => {
    const { found, printed } = await told(halves[0]!, { against: reference });
    expect(found.overall).toMatchObject({ alarm: false, classesTested: 0, fresh: 0 });
    expect(found.classes.map(({ state }) => state)).toEqual(CLASSES.map(() => 'UNCHANGED'));
    expect(printed).toMatch(/encode +skipped/);
  });
});
