/**
 * Exact W2 beside POT's network simplex, one thread each, on the same arrays. Python runs in between the halves of our own turns.
 *
 * `given` has the cost matrix given; `distances` has its computation in the time: POT's from float32 or float64 points, whichever is
 * faster, ours from ONNX Runtime's product. Latents are correlated (the deviation of coordinate j falls as j^-1/2), around one mode or
 * twelve of uneven mass; centroids are a fitted codebook's.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModelRuntime } from '../../src/adapters/runtime/runtime.ts';
import { squaredDistance } from '../../src/numerics/math/distance.ts';
import { type Points } from '../../src/numerics/math/points.ts';
import { type MatrixProduct } from '../../src/numerics/math/product.ts';
import { randomStream } from '../../src/numerics/math/random.ts';
import { fitQuantizer } from '../../src/numerics/quantize/quantize.ts';
import { exactTransport } from '../../src/numerics/transport/transport.ts';
import { wasserstein2 } from '../../src/numerics/transport/wasserstein.ts';
import { type Bench, type BenchCase } from './bench.ts';
import { interleavedMs, medianInterval, timeMs } from './measure.ts';
import { pythonPeers, type Peers } from './peers.ts';

const REQUIREMENTS = ['POT==0.9.7.post1', 'numpy==2.4.6', 'scipy==1.17.1'];
const SETTINGS = [
  { n: 1300, d: 4096, modes: 1, target: 5 },
  { n: 5000, d: 256, modes: 1, target: 10 },
  { n: 5000, d: 256, modes: 12, target: 10 },
];
const KS = [10, 50, 100];
const TURNS = 12;
const RELATIVE_TOLERANCE = 1e-6;

export const bench: Bench = {
  about: 'exact W2 between samples and weighted points, beside POT',
  async *cases(wanted) {
    const peers = await pythonPeers({ requirements: REQUIREMENTS });
    const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
    const folder = await mkdtemp(join(tmpdir(), 'pushforward-transport-'));
    try {
      for (const setting of SETTINGS) {
        const ks = KS.filter((k) =>
          WEIGHTS.some((weights) => MODES.some((mode) => wanted(title(mode, setting, k, weights)))),
        );
        const points = ks.length > 0 ? latents(setting) : null;
        for (const k of ks) yield* compared(setting, points!, k, { peers, product: runtime.product, folder }, wanted);
      }
    } finally {
      await runtime.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

type Setting = (typeof SETTINGS)[number];
const MODES = ['given', 'distances'] as const;
const WEIGHTS = ['uniform', 'dirichlet', 'voronoi'] as const;

const title = (mode: string, { n, modes }: Setting, k: number, weights: string) =>
  `${mode} n=${n} ${modes > 1 ? 'modes ' : ''}K=${k} ${weights}`;

interface Tools {
  peers: Peers;
  product: MatrixProduct;
  folder: string;
}

interface Timed {
  ms: number[];
  value: number;
}

type Answers = Record<(typeof WEIGHTS)[number], Record<'given' | 'float32' | 'float64', Timed>>;

async function* compared(
  setting: Setting,
  points: Points,
  k: number,
  { peers, product, folder }: Tools,
  wanted: (name: string) => boolean,
): AsyncIterable<BenchCase> {
  const { n, d, target } = setting;
  const fitted = await fitQuantizer(points, { k, restarts: 1, maxIterations: 20, seed: 1, classIndex: 0 }, { product });
  const weights = { uniform: new Float64Array(k).fill(1 / k), dirichlet: dirichlet(k), voronoi: fitted.weights };
  const cost = distances(points, fitted.centroids);
  const files = { cost: join(folder, 'cost'), points: join(folder, 'points'), centroids: join(folder, 'centroids') };
  await writeFile(files.cost, cost);
  await writeFile(files.points, points.values);
  await writeFile(files.centroids, fitted.centroids.values);
  const task = { n, k, d, turns: TURNS / 2, ...files, weights: {} as Record<string, string> };
  for (const name of WEIGHTS) await writeFile((task.weights[name] = join(folder, name)), weights[name]);
  await writeFile(join(folder, 'task.json'), JSON.stringify(task));
  const ask = async () =>
    (await peers.run('transport_peers.py', [join(folder, 'task.json')], { threads: 1 })) as Answers;

  const works = WEIGHTS.flatMap((name) => [
    { name, mode: 'given' as const, work: () => exactTransport(cost, { n, k }, weights[name]).value },
    {
      name,
      mode: 'distances' as const,
      work: async () => (await wasserstein2(points, fitted.centroids, weights[name], { product })).squared,
    },
  ]);
  const ours = works.map(() => [] as number[]);
  const half = async () => {
    for (let turn = -2; turn < TURNS / 2; turn++)
      for (const [at, { work }] of works.entries()) {
        const ms = await timeMs(work);
        if (turn >= 0) ours[at]!.push(ms);
      }
  };
  await half();
  const first = await ask();
  await half();
  const second = await ask();
  const floor = await floorOf(points, fitted.centroids, product);

  for (const [at, { name, mode, work }] of works.entries()) {
    const name_ = title(mode, setting, k, name);
    if (!wanted(name_)) continue;
    const value = await work();
    const reference = first[name].given.value;
    const difference = Math.abs(value / reference - 1);
    if (!(difference <= RELATIVE_TOLERANCE)) throw new Error(`expected ${reference} in ${name_}, got ${value}`);
    const peer = (kind: 'given' | 'float32' | 'float64') =>
      medianInterval([...first[name][kind].ms, ...second[name][kind].ms]).median;
    const { median, low, high } = medianInterval(ours[at]!);
    yield {
      case: name_,
      unit: 'ms',
      ours: median,
      peers: mode === 'given' ? { pot: peer('given') } : { potFloat32: peer('float32'), potFloat64: peer('float64') },
      target,
      interval: [low, high],
      squared: value,
      relativeDifference: difference,
      ...(mode === 'distances' && {
        d,
        ...floor,
        potFloat32Difference: Math.abs(first[name].float32.value / reference - 1),
      }),
    };
  }
}

/**
 * What W2 cannot do without where it has to measure: the product that proposes, and the exact distances of the plan, which read the points once more. POT
 * reads them as often, many coordinates at a time.
 */
async function floorOf(points: Points, centroids: Points, product: MatrixProduct) {
  const shape = { m: points.n, k: points.d, n: centroids.n, transposeB: true };
  const { multiply, measure } = await interleavedMs(
    {
      multiply: () => product(points.values, centroids.values, shape),
      measure: () => distances(points, { ...centroids, n: 1 }),
    },
    { turns: TURNS / 2 },
  );
  return { productMs: multiply, measuredMs: measure };
}

function latents({ n, d, modes }: Setting): Points {
  const stream = randomStream({ seed: 1, classIndex: 0, purpose: 'bench latents' });
  const values = stream.normals(n * d);
  const centres = stream.normals(modes * d, n * d);
  const uniform = (i: number) => stream.uniform((n + modes) * d + i);
  for (let i = 0; i < n; i++) {
    const mode = Math.floor(uniform(i) ** 2 * modes);
    for (let j = 0; j < d; j++)
      values[i * d + j] = (values[i * d + j]! + (modes > 1 ? 2 * centres[mode * d + j]! : 0)) / Math.sqrt(j + 1);
  }
  return { values, n, d };
}

/** Weights drawn from the flat Dirichlet distribution: exponentials, divided by their sum. */
function dirichlet(k: number): Float64Array {
  const stream = randomStream({ seed: 1, classIndex: 0, purpose: 'bench weights', item: k });
  const parts = Float64Array.from({ length: k }, (_, c) => -Math.log(stream.uniform(c)));
  const total = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / total);
}

function distances(points: Points, centroids: Points): Float64Array {
  const cost = new Float64Array(points.n * centroids.n);
  for (let i = 0, p = 0; i < points.n; i++)
    for (let c = 0; c < centroids.n; c++, p++)
      cost[p] = squaredDistance(points.values, i, centroids.values, c, points.d);
  return cost;
}
