import { afterAll, describe, expect, it } from 'vitest';
import { createModelRuntime } from '../../../src/adapters/runtime/index.ts';
import { createBuilder } from '../../../src/numerics/graph/builder.ts';
import { initialValues, type Classifier } from '../../../src/numerics/graph/classifier.ts';
import { differentiate } from '../../../src/numerics/graph/differentiate.ts';
import { sizeOf, type Value } from '../../../src/numerics/graph/graph.ts';
import { softCrossEntropy, weightedMean } from '../../../src/numerics/graph/losses.ts';
import { adamW, sgd, type Optimizer } from '../../../src/numerics/graph/optimizers.ts';
import { convNet } from '../../../src/numerics/graph/students/convnet.ts';
import { resNet18 } from '../../../src/numerics/graph/students/resnet.ts';
import { inferenceGraph, trainingStep, type Objective } from '../../../src/numerics/graph/training-step.ts';
import { softmax } from '../../../src/numerics/math/softmax.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { interpret } from './interpreter.ts';
import { normals } from './support.ts';

const image = { channels: 3, height: 8, width: 8 };
const BATCH = 4;
const CLASSES = 3;

const STUDENTS: Record<string, Classifier> = {
  'ConvNet-3 with instance norm': convNet({ image, classes: CLASSES, normalization: 'instance', width: 5 }),
  'ConvNet-3 with batch norm': convNet({ image, classes: CLASSES, normalization: 'batch', width: 5 }),
  'ResNet-18': resNet18({ image, classes: CLASSES, widths: [4, 4, 6, 6] }),
};

const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
afterAll(async () => await runtime.close());

function startOf({ parameters, statistics }: Classifier): Record<string, Float32Array> {
  return Object.fromEntries(
    [...parameters, ...statistics].map((tensor, item) => {
      const values = initialValues(tensor, randomStream({ seed: 3, classIndex: 0, purpose: 'student', item }));
      // Away from the start, where many a gradient is zero.
      return [tensor.name, values.map((value, i) => value + 0.1 * Math.abs(normals(i + 1, item)[i]!))];
    }),
  );
}

function batchOf(item: number): Record<string, Float32Array> {
  const targets = Array.from({ length: BATCH }, (_, i) => [...softmax(normals(CLASSES, 100 * item + i))]);
  return {
    images: Float32Array.from(normals(BATCH * sizeOf(Object.values(image)), item)),
    targets: Float32Array.from(targets.flat()),
    weights: Float32Array.of(0.5, 1, 2, 0.5),
  };
}

describe.each(Object.entries(STUDENTS))('%s', (name, student) => {
  it('has gradients that central differences confirm', () => {
    const g = createBuilder();
    const images = g.input('images', [BATCH, 3, 8, 8]);
    const values = new Map<string, Value>();
    for (const { name, shape } of [...student.parameters, ...student.statistics])
      values.set(name, g.input(name, shape));
    const { logits } = student.apply(g, images, (name) => values.get(name)!, 'training');
    const [targets, weights] = [g.input('targets', [BATCH, CLASSES]), g.input('weights', [BATCH])];
    const loss = weightedMean(g, softCrossEntropy(g, logits, targets), weights);
    const by = student.parameters.map(({ name }) => values.get(name)!);
    const gradients = differentiate(g, loss, by);
    const feeds = Object.fromEntries(
      Object.entries({ ...startOf(student), ...batchOf(1) }).map(([name, data]) => [name, Float64Array.from(data)]),
    );
    const found = interpret(g.graph(Object.fromEntries(gradients.map((d, i) => [by[i]!.name, d!]))), feeds);
    const lossOnly = g.graph({ loss });
    for (const { name, shape } of student.parameters) {
      const index = Math.floor(sizeOf(shape) / 2);
      const at = (by: number) => {
        const moved = feeds[name]!.slice();
        moved[index]! += by;
        return interpret(lossOnly, { ...feeds, [name]: moved })['loss']![0]!;
      };
      const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
      const gradient = found[name]![index]!;
      expect(Math.abs(gradient - slope), `${name}: ${gradient} for ${slope}`).toBeLessThan(
        1e-5 * (1 + Math.abs(slope)),
      );
    }
  });

  const cases: [string, Optimizer, Objective][] = [
    ['SGD and cross-entropy', sgd({ momentum: 0.9 }), { kind: 'cross-entropy' }],
    ['AdamW and distillation', adamW(), { kind: 'distillation', temperature: 4 }],
  ];
  it.each(cases)(
    'trains by %s in ONNX Runtime as in float64, and keeps its state',
    async (key, optimizer, objective) => {
      const step = trainingStep(student, {
        ...{ batch: BATCH, objective, optimizer, weightDecay: 0.01 },
        decays: ({ role }) => role === 'weight',
      });
      const program = await runtime.compile(`${name} ${key}`, step.graph, step.state);
      const zeros = step.state.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const);
      const start = { ...Object.fromEntries(zeros), ...startOf(student) };
      const run = program.begin(start);
      let state: Record<string, Float64Array> = Object.fromEntries(
        Object.entries(start).map(([name, data]) => [name, Float64Array.from(data)]),
      );
      for (let t = 1; t <= 3; t++) {
        const batch = batchOf(t);
        const scalars = optimizer.scalars(t, 0.01);
        const feeds = Object.entries({ ...batch, ...scalars }).map(
          ([name, value]) => [name, typeof value === 'number' ? Float32Array.of(value) : value] as const,
        );
        const told = await run.step(Object.fromEntries(feeds));
        const exact = interpret(step.graph, {
          ...state,
          ...Object.fromEntries(feeds.map(([name, data]) => [name, Float64Array.from(data)])),
        });
        expect(told['loss']![0]).toBeCloseTo(exact['loss']![0]!, 4);
        state = Object.fromEntries(step.state.map(({ name, next }) => [name, exact[next]!]));
      }
      const reached = run.state();
      for (const { name } of student.parameters)
        for (const [i, value] of reached[name]!.entries()) {
          // Adam divides by the root of the mean square: where a gradient is nearly zero, its sign alone counts.
          expect(Math.abs(value - state[name]![i]!), `${name} ${i}`).toBeLessThan(
            optimizer.name === 'adamw' ? 2e-2 : 1e-4,
          );
        }
      // Another run begins where it is told to, in the same session.
      const again = program.begin(start);
      expect(again.state()).toEqual(start);
    },
  );
});

it('tells logits by the running statistics once trained', async () => {
  const student = STUDENTS['ConvNet-3 with batch norm']!;
  const graph = inferenceGraph(student, BATCH);
  const start = startOf(student);
  const program = await runtime.compile('inference', graph, []);
  const { logits } = await program.begin({}).step({ images: batchOf(1)['images']!, ...start });
  const feeds = { images: batchOf(1)['images']!, ...start };
  const exact = interpret(graph, Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, Float64Array.from(v)])));
  logits!.forEach((value, i) => expect(value).toBeCloseTo(exact['logits']![i]!, 4));
});

it('names what is missing', async () => {
  const graph = inferenceGraph(STUDENTS['ConvNet-3 with batch norm']!, BATCH);
  const program = await runtime.compile('inference', graph, []);
  await expect(program.begin({}).step({ images: new Float32Array(3) })).rejects.toThrow(
    /expected 768 values of images, whose shape is \(4, 3, 8, 8\), got 3/,
  );
});
