import { describe, expect, it } from 'vitest';
import { parseExecutorClasses, readExecutorClasses } from '../../../src/adapters/kubernetes/classes.ts';

const FILE = `
default: cpu
stages:
  decode: gpu
classes:
  cpu:
    priceUsdPerHour: 0.2
  gpu:
    priceUsdPerHour: 2.5
    parallelism: 4
    resources:
      requests: {cpu: 4, memory: 16Gi}
      limits: {nvidia.com/gpu: 1}
    nodeSelector: {pool: gpu}
    tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
    priorityClassName: batch
    queue: research
`;

describe('the file of executor classes', () => {
  it('says what a stage runs on, how many at once, and what it costs', () => {
    const classes = parseExecutorClasses(FILE);
    expect(classes.names).toEqual(['cpu', 'gpu']);
    const of = (stage: string, execution = {}) => classes.classFor({ stage, execution });
    expect([of('encode').name, of('decode').name, of('decode', { executorClass: 'cpu' }).name]).toEqual([
      'cpu',
      'gpu',
      'cpu',
    ]);
    expect(of('decode')).toMatchObject({
      priceUsdPerHour: 2.5,
      resources: { requests: { cpu: '4', memory: '16Gi' }, limits: { 'nvidia.com/gpu': '1' } },
      queue: 'research',
    });
    const parallelism = (execution = {}) => classes.parallelismFor({ stage: 'decode', execution });
    expect([parallelism(), parallelism({ parallelism: 2 }), parallelism({ parallelism: 9 })]).toEqual([4, 2, 4]);
    expect(() => of('decode', { executorClass: 'tpu' })).toThrow(/one of the executor classes cpu, gpu, got tpu/);
    for (const stage of ['constructor', '__proto__']) expect(of(stage).name).toBe('cpu');
  });

  it.each([
    ['no YAML', 'classes: [1', /to be YAML or JSON/],
    ['another type', '[]', /got at the top level/],
    ['an unknown field', `${FILE}surprise: 1`, /unknown field surprise/],
    ['an unknown field of a class', FILE.replace('queue', 'kueue'), /at classes.gpu: unknown field kueue/],
    ['a negative price', FILE.replace('2.5', '-1'), /at classes.gpu.priceUsdPerHour/],
    [
      'a default that no class has',
      FILE.replace('default: cpu', 'default: tpu'),
      /default of .* to name one of .*got tpu/,
    ],
    ['a stage with a class that is not there', FILE.replace('decode: gpu', 'decode: tpu'), /stages.decode .*got tpu/],
  ])('with %s is refused, with where and what', (_, text, message) => {
    expect(() => parseExecutorClasses(text)).toThrow(message);
  });

  it('that is not there is refused with what to correct', () => {
    expect(() => readExecutorClasses('/nowhere.yaml')).toThrow(/correct PUSHFORWARD_EXECUTOR_CLASSES/);
  });
});
