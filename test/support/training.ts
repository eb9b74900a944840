/** A training job, for us and for PyTorch (train_torch.py) from the same weights and batches. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initialValues, type Classifier } from '../../src/numerics/graph/classifier.ts';
import { sizeOf } from '../../src/numerics/graph/graph.ts';
import { adamW, sgd, type Optimizer } from '../../src/numerics/graph/optimizers.ts';
import { convNet } from '../../src/numerics/graph/students/convnet.ts';
import { resNet18 } from '../../src/numerics/graph/students/resnet.ts';
import { trainingStep, type TrainingStep } from '../../src/numerics/graph/training-step.ts';
import { randomStream } from '../../src/numerics/math/random.ts';
import { softmax } from '../../src/numerics/math/softmax.ts';

export interface Job {
  student:
    | { kind: 'convnet'; norm: 'instance' | 'batch'; width: number; size: number; channels: number; classes: number }
    | { kind: 'resnet'; widths: number[]; size: number; channels: number; classes: number };
  optimizer: 'sgd' | 'adamw';
  /** Of the distillation loss; null for cross-entropy. */
  temperature: number | null;
  rate: number;
  weightDecay: number;
  batch: number;
  batches: number;
  threads: number;
  /** Steps that are timed. */
  turns?: number;
}

export interface Prepared {
  classifier: Classifier;
  optimizer: Optimizer;
  step: TrainingStep;
  /** Weights, statistics, moments. */
  start: Record<string, Float32Array>;
  batches: Record<'images' | 'targets' | 'weights', Float32Array>[];
}

/** @param brought what to train instead of the student that the job names */
export function prepare(job: Job, brought?: Classifier): Prepared {
  const { student, batch } = job;
  const image = { channels: student.channels, height: student.size, width: student.size };
  const built =
    student.kind === 'convnet'
      ? convNet({ image, classes: student.classes, normalization: student.norm, width: student.width })
      : resNet18({ image, classes: student.classes, widths: student.widths });
  const classifier = brought ?? built;
  const optimizer: Optimizer = job.optimizer === 'sgd' ? sgd({ momentum: 0.9 }) : adamW();
  const step = trainingStep(classifier, {
    ...{ batch, optimizer, weightDecay: job.weightDecay, decays: ({ role }) => role === 'weight' },
    objective:
      job.temperature === null ? { kind: 'cross-entropy' } : { kind: 'distillation', temperature: job.temperature },
  });
  const stream = (item: number) => randomStream({ seed: 7, classIndex: 0, purpose: 'training job', item });
  const start: Record<string, Float32Array> = Object.fromEntries(
    step.state.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const),
  );
  [...classifier.parameters, ...classifier.statistics].forEach((tensor, item) => {
    start[tensor.name] = initialValues(tensor, stream(item));
  });
  const batches = Array.from({ length: job.batches }, (_, b) => {
    const numbers = stream(1000 + b);
    const pixels = batch * sizeOf(Object.values(image));
    const logits = Array.from({ length: batch }, (_, i) => [...numbers.normals(student.classes, pixels + i * 100)]);
    const targets = job.temperature === null ? logits.map((row) => [...softmax(row, 0.5)]) : logits;
    return {
      images: numbers.normals(pixels),
      targets: Float32Array.from(targets.flat()),
      weights: Float32Array.from({ length: batch }, (_, i) => 2 * numbers.uniform(2 * pixels + i)),
    };
  });
  return { classifier, optimizer, step, start, batches };
}

/** Writes what train_torch.py reads. */
export async function writeJob(
  folder: string,
  job: Job,
  { classifier, start, batches, step }: Prepared,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const shapes = new Map(step.graph.inputs.map(({ name, shape }) => [name, shape]));
  const tensors = [
    ...[...classifier.parameters, ...classifier.statistics].map(
      ({ name, shape }) => [name, shape, start[name]!] as const,
    ),
    ...batches.flatMap((batch, b) =>
      (['images', 'targets', 'weights'] as const).map(
        (part) => [`batch${b}.${part}`, shapes.get(part)!, batch[part]] as const,
      ),
    ),
  ];
  await writeFile(join(folder, 'data.bin'), Buffer.concat(tensors.map(([, , data]) => Buffer.from(data.buffer))));
  const listed = tensors.map(([name, shape]) => [name, shape]);
  await writeFile(join(folder, 'job.json'), JSON.stringify({ ...job, tensors: listed }));
}

/** What a step reads beside its state. */
export function feedsOf({ optimizer, batches }: Prepared, job: Job, step: number): Record<string, Float32Array> {
  const scalars = Object.entries(optimizer.scalars(step, job.rate)).map(([name, value]) => [
    name,
    Float32Array.of(value),
  ]);
  return { ...batches[(step - 1) % batches.length]!, ...(Object.fromEntries(scalars) as Record<string, Float32Array>) };
}
