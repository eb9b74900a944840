import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModelRuntime, readModelFile } from '../../src/adapters/runtime/index.ts';
import { importedClassifier } from '../../src/numerics/graph/students/imported.ts';
import { skippedWithout } from '../support/needed.ts';
import { pythonEnvironment } from '../support/python.ts';
import { feedsOf, prepare, writeJob, type Job } from '../support/training.ts';

const { python, missing } = await pythonEnvironment({
  requirements: [],
  system: { modules: ['torch', 'numpy'], debian: ['python3-torch', 'python3-numpy'] },
});
const skipped = skippedWithout(missing);

const small = { size: 16, channels: 3, classes: 10 };
const common = { batch: 8, batches: 12, threads: 2 };
const JOBS: Record<string, Job> = {
  'ConvNet-3 with instance norm, SGD': {
    student: { kind: 'convnet', norm: 'instance', width: 128, ...small },
    ...{ optimizer: 'sgd', temperature: null, rate: 0.01, weightDecay: 5e-4, ...common },
  },
  'ConvNet-3 with batch norm, AdamW, distillation': {
    student: { kind: 'convnet', norm: 'batch', width: 128, ...small },
    ...{ optimizer: 'adamw', temperature: 20, rate: 1e-3, weightDecay: 0.01, ...common },
  },
  // At the rates of the protocols a batch of 8 makes it chaotic: two versions of PyTorch part there, too.
  'ResNet-18, AdamW, distillation': {
    student: { kind: 'resnet', widths: [64, 128, 256, 512], ...small },
    ...{ optimizer: 'adamw', temperature: 30, rate: 1e-4, weightDecay: 0.01, ...common },
  },
  'ResNet-18, SGD': {
    student: { kind: 'resnet', widths: [64, 128, 256, 512], ...small },
    ...{ optimizer: 'sgd', temperature: null, rate: 1e-3, weightDecay: 5e-4, ...common },
  },
};

describe.skipIf(skipped)('training beside PyTorch, from the same weights on the same batches', () => {
  let folder: string;
  const runtime = createModelRuntime({ provider: 'cpu', threads: 2 });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-training-'));
  });
  afterAll(async () => {
    await (await runtime).close();
    await rm(folder, { recursive: true, force: true });
  });

  const torch = async (mode: 'curve' | 'export'): Promise<unknown> => {
    const script = join(import.meta.dirname, '../support/train_torch.py');
    const { stdout } = await promisify(execFile)(python!, [script, mode, folder], { maxBuffer: 64 * 1024 * 1024 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as unknown;
  };

  it.each(Object.entries(JOBS))('%s: has the same losses step by step', async (name, job) => {
    const prepared = prepare(job);
    await writeJob(folder, job, prepared);
    const told = (await torch('curve')) as { losses: number[]; running: Record<string, number[]> };

    const { graph, state } = prepared.step;
    const run = (await (await runtime).compile(name, graph, state)).begin(prepared.start);
    const losses: number[] = [];
    for (let step = 1; step <= job.batches; step++)
      losses.push((await run.step(feedsOf(prepared, job, step)))['loss']![0]!);
    // Rounding grows from step to step, as it does between two versions of PyTorch.
    losses.forEach((loss, i) => {
      const near = (i === 0 ? 1e-5 : 2e-3) * Math.max(1e-2, Math.abs(told.losses[i]!));
      expect(
        Math.abs(loss - told.losses[i]!),
        `step ${i + 1}: ${losses.join()} for ${told.losses.join()}`,
      ).toBeLessThan(near);
    });
    expect(new Set(losses).size).toBe(losses.length);
    // Adam goes by signs where a gradient is nearly zero: an entry may part, not all of them.
    const reached = run.state();
    for (const [statistic, values] of Object.entries(told.running)) {
      const apart = Math.hypot(...values.map((value, i) => reached[statistic]![i]! - value));
      expect(apart, statistic).toBeLessThan(2e-2 * Math.hypot(...values));
    }
  });

  it.each(['ConvNet-3 with batch norm, AdamW, distillation', 'ResNet-18, SGD'])(
    '%s: goes on from what PyTorch exports',
    async (name) => {
      const job = { ...JOBS[name]!, batches: 3 };
      const own = prepare(job);
      await writeJob(folder, job, own);
      const told = (await torch('curve')) as { losses: number[] };
      await torch('export');
      const classifier = importedClassifier(readModelFile(await readFile(join(folder, 'model.onnx'))));
      expect(classifier).toMatchObject({ image: { channels: 3, height: 16, width: 16 }, classes: 10 });
      const roles = ({ parameters }: typeof classifier) => parameters.map(({ name, role }) => `${role} ${name}`).sort();
      expect(roles(classifier)).toEqual(roles(own.classifier));

      const prepared = prepare(job, classifier);
      const { graph, state } = prepared.step;
      const run = (await (await runtime).compile(`exported ${name}`, graph, state)).begin(prepared.start);
      for (let step = 1; step <= job.batches; step++) {
        const loss = (await run.step(feedsOf(prepared, job, step)))['loss']![0]!;
        expect(Math.abs(loss - told.losses[step - 1]!)).toBeLessThan(2e-3 * Math.max(1e-2, Math.abs(loss)));
      }
    },
  );
});
