import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { follow, GLYPHS, importReady, launch, output, registerPrior, runOf } from '../support/api-steps.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

let service: ServiceProcess;
let stateDir: string;
let versionId: string;
let priorId: string;
let runId: string;

const K = 4;
const recipe = () => ({
  datasetVersionId: versionId,
  priorId,
  imagesPerClass: K,
  classes: ['A', 'B'],
  quantizer: { restarts: 2 },
  decoder: { steps: 10 },
});

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
  service = await startServiceProcess(stateDir);
});

afterAll(async () => {
  expect(await service.end()).toBe(0);
  await rm(stateDir, { recursive: true, force: true });
});

describe('the operations that quickstart sends', () => {
  it('import the letters and register their prior', async () => {
    const version = await importReady(service.client, { name: 'glyphs', path: GLYPHS.dataset });
    expect(version.images).toBeGreaterThan(1000);
    versionId = version.id;
    priorId = await registerPrior(service.client, GLYPHS.prior);
  });

  it('launch a run and follow it without a gap to its end', async () => {
    const launched = await launch(service.client, recipe());
    expect(launched).toMatchObject({ __typename: 'LaunchRunSuccess', reused: false });
    runId = launched.run.id;
    const events = await follow(service.client, runId);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]!.type).toBe('run.created');
    expect(events.at(-1)!.type).toBe('run.succeeded');
    const ended = events.filter((event) => /^stage\.(succeeded|skipped)$/.test(event.type));
    expect(ended.map((event) => event.payload['stage'])).toEqual([
      'encode',
      'survey',
      'quantize',
      'decode',
      'label',
      'compare',
      'evaluate',
      'report',
    ]);
  });

  it('answer with the figures of every class', async () => {
    const run = await runOf(service.client, runId);
    expect(run.state).toBe('SUCCEEDED');
    expect(run.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(run.classFigures.map((row) => row.className)).toEqual(['A', 'B']);
    for (const row of run.classFigures) {
      expect(row.k).toBe(K);
      expect(row.w2Weighted).toBeGreaterThan(0);
      expect(row.w2Weighted).toBeLessThanOrEqual(row.w2Uniform * (1 + 1e-9));
      expect(row.reduction).toBeCloseTo(1 - row.w2Weighted / row.w2Uniform, 9);
      expect(row.ess).toBeGreaterThan(1);
      expect(row.ess).toBeLessThanOrEqual(K + 1e-9);
      expect(row.heldoutW2).toBeGreaterThan(0);
      expect(row.w2Weighted).toBeLessThanOrEqual(row.w2Balanced * (1 + 1e-9));
      expect(row.w2Balanced).toBeLessThanOrEqual(row.w2Uniform * (1 + 1e-9));
      expect(row.w2Weighted).toBeLessThan(row.w2D4mMean);
      expect(row.reductionD4m).toBeCloseTo(1 - row.w2Weighted / row.w2D4mMean, 9);
      expect(row.w2D4mDeviation).toBeGreaterThan(0);
      expect(row.energyRefit).toBeLessThanOrEqual(row.energyDecoded + 1e-6);
      expect(row.nearestRatio).toBeGreaterThan(0);
    }
    const costs = run.stages.map((stage) => stage.costUsd);
    expect(run.costUsd).toBeCloseTo(
      costs.reduce((a, b) => a + b, 0),
      9,
    );
    expect(run.costUsd).toBeGreaterThan(0);
  });

  it('hand out a Parquet file with images, weights of mean 1 and soft labels', async () => {
    const { blob, bytes } = await output(service.client, await runOf(service.client, runId), 'train.parquet');
    expect(sha256(bytes)).toBe(blob.sha256);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const rows = await parquetReadObjects({ file, compressors, utf8: false });
    expect(rows).toHaveLength(2 * K);
    const weights = rows.map((row) => row['weight'] as number);
    expect(weights.reduce((a, b) => a + b, 0) / weights.length).toBeCloseTo(1, 5);
    expect(rows.map((row) => Number(row['label']))).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    for (const row of rows) {
      const soft = row['soft_label'] as number[];
      expect(soft.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
      const png = (row['image'] as { bytes: Uint8Array }).bytes;
      expect([...png.slice(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
    }
  });

  it('hand out a contact sheet and a page that reaches for nothing outside', async () => {
    const run = await runOf(service.client, runId);
    const sheet = await output(service.client, run, 'contact-sheet.png');
    expect([...sheet.bytes.slice(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
    const page = new TextDecoder().decode((await output(service.client, run, 'report.html')).bytes);
    expect(page).toContain('W2 weighted');
    const facts = '7,000 images (1.9 MB) of 10 classes, 700 in each; no duplicates';
    expect(page).toContain(`<dd>${facts}</dd>`);
    const card = new TextDecoder().decode((await output(service.client, run, 'README.md')).bytes);
    expect(card).toContain(facts);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).not.toMatch(/https?:\/\//);
  });

  it('reuse everything in a second run, at no cost', async () => {
    const again = await launch(service.client, recipe());
    expect(again.run.id).not.toBe(runId);
    await follow(service.client, again.run.id);
    const [first, second] = [await runOf(service.client, runId), await runOf(service.client, again.run.id)];
    expect(second.state).toBe('SUCCEEDED');
    expect(second.costUsd).toBe(0);
    for (const stage of second.stages) expect(stage.tasksCached).toBe(stage.tasksTotal);
    expect(second.outputs.map((artifact) => artifact.id)).toEqual(first.outputs.map((artifact) => artifact.id));
  });

  it('reuse the latents where only K differs', async () => {
    const { run } = await launch(service.client, { ...recipe(), imagesPerClass: 3 });
    await follow(service.client, run.id);
    const { stages } = await runOf(service.client, run.id);
    const cached = Object.fromEntries(stages.map((stage) => [stage.name, stage.tasksCached]));
    expect(cached).toMatchObject({ quantize: 0, decode: 0, label: 0, compare: 0, report: 0 });
    expect(cached['encode']).toBe(stages[0]!.tasksTotal);
  });

  it('divide a total over the classes by what more points would bring them', async () => {
    const of = { ...recipe(), imagesPerClass: null, totalImages: 7, quantizer: { restarts: 1 }, decoder: { steps: 2 } };
    const { run } = await launch(service.client, of);
    await follow(service.client, run.id);
    const { state, stages, classFigures } = await runOf(service.client, run.id);
    expect(state).toBe('SUCCEEDED');
    expect(stages[1]).toMatchObject({ name: 'survey', tasksTotal: 2, state: 'SUCCEEDED' });
    expect(classFigures.reduce((sum, { k }) => sum + k, 0)).toBe(7);
    const answer = await service.client.send<{ run: { classFigures: CurveAnswer[] } }>('DistortionCurves', {
      id: run.id,
    });
    for (const { distortionCurve, quantizationRate, intrinsicDimension } of answer.run.classFigures) {
      expect(distortionCurve.map(({ k }) => k)).toEqual([1, 2, 5, 6]);
      expect(quantizationRate).toBeLessThan(0);
      expect(intrinsicDimension).toBeGreaterThan(1);
    }
  });

  it('give one run for one key, and refuse the key for another request', async () => {
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => launch(service.client, recipe(), key)));
    expect(new Set(answers.map((answer) => answer.run.id)).size).toBe(1);
    expect(answers.filter((answer) => !answer.reused)).toHaveLength(1);
    expect(await launch(service.client, { ...recipe(), seed: 7 }, key)).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    await follow(service.client, answers[0]!.run.id);
  });

  it('cancel a run, which then holds nothing', async () => {
    const { run } = await launch(service.client, {
      ...recipe(),
      imagesPerClass: 50,
      quantizer: { restarts: 1000 },
      seed: 3,
    });
    let asked = false;
    const events = await follow(service.client, run.id, (event) => {
      if (event.type !== 'attempt.started' || asked) return;
      asked = true;
      void service.client.send('CancelRun', { id: run.id });
    });
    expect(events.at(-1)!.type).toBe('run.cancelled');
    expect((await runOf(service.client, run.id)).state).toBe('CANCELLED');
  });

  it('tell what an artifact was made from and what reads it', async () => {
    const { outputs } = await runOf(service.client, runId);
    const dataset = outputs.find((artifact) => artifact.kind === 'syntheticDataset')!;
    const { artifact } = await service.client.send<{ artifact: ArtifactAnswer }>('Artifact', { id: dataset.id });
    expect(artifact.producedBy?.run?.id).toBe(runId);
    expect(artifact.inputs.map((input) => input.kind).sort()).toEqual([
      'codebook',
      'codebook',
      'images',
      'images',
      'softLabels',
      'softLabels',
    ]);
    const codebook = artifact.inputs.find((input) => input.kind === 'codebook')!;
    const up = (await service.client.send<{ artifact: ArtifactAnswer }>('Artifact', { id: codebook.id })).artifact;
    expect(up.usedBy.artifacts.map((user) => user.kind)).toEqual(
      expect.arrayContaining(['images', 'syntheticDataset']),
    );
  });

  it('name the real images behind each synthetic one', async () => {
    const run = await runOf(service.client, runId);
    const artifactId = run.outputs.find((artifact) => artifact.kind === 'syntheticDataset')!.id;
    const { n } = run.classFigures.find(({ className }) => className === 'B')!;
    const found = new Set<string>();
    for (let point = 0; point < K; point++) {
      let after: string | null = null;
      do {
        const { cell } = await cellOf({ artifactId, className: 'B', point, first: 100, after });
        expect(cell).toMatchObject({ className: 'B', datasetVersion: { id: versionId } });
        for (const { image } of cell.members.nodes) {
          expect(image).toMatchObject({ file: GLYPHS.dataset, format: 'parquet', offset: null });
          found.add(image!.path);
        }
        after = cell.members.pageInfo.hasNextPage ? cell.members.pageInfo.endCursor : null;
      } while (after !== null);
    }
    expect(found.size).toBe(n - Math.round(0.1 * n));
  });
});

interface ArtifactAnswer {
  producedBy: { run: { id: string } | null } | null;
  inputs: { id: string; kind: string }[];
  usedBy: { artifacts: { id: string; kind: string }[] };
}

const cellOf = (asked: object) => service.client.send<{ cell: CellAnswer }>('Cell', { ...asked });

interface CellAnswer {
  members: {
    nodes: { image: { path: string } | null }[];
    pageInfo: { hasNextPage: boolean; endCursor: string };
  };
}

interface CurveAnswer {
  distortionCurve: { k: number }[];
  quantizationRate: number;
  intrinsicDimension: number;
}
