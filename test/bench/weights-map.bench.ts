/**
 * Where weights pay: what they gain in W2 over the balanced optimum, against how uneven the cells are. Mixtures whose modes are made ever more uneven show
 * the whole way, for wide modes and for tight ones; glyphs and CIFAR-10 show where on it real classes lie. Writes results/weights-map.md and its pictures.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createModelRuntime } from '../../src/adapters/runtime/index.ts';
import { type Points } from '../../src/numerics/math/points.ts';
import { type MatrixProduct } from '../../src/numerics/math/product.ts';
import { randomStream } from '../../src/numerics/math/random.ts';
import { mean } from '../../src/numerics/math/sum.ts';
import { effectiveSampleSize } from '../../src/numerics/quantize/weights.ts';
import { wasserstein2 } from '../../src/numerics/transport/wasserstein.ts';
import { BALANCED, CARD, D4M, palette, UNIFORM, WEIGHTED } from '../../src/pipeline/report/colors.ts';
import { type WeightsMark, weightsMap } from '../../src/pipeline/report/plots/weights-map.ts';
import { type Bench, type BenchCase } from './bench.ts';
import { weightedAndBalanced } from './fits.ts';
import { latentsOf } from './latents.ts';

const SETS = ['tight', 'wide', 'glyphs', 'cifar10'] as const;
type Set_ = (typeof SETS)[number];

/** Of the mixtures: mode m has a mass that goes with exp(-m * decay). */
const DECAYS = [0, 0.1, 0.2, 0.4, 0.6, 0.8, 1];
const MODES = 12;
/** The deviation of a mode's samples, where that of the centres is 1. */
const DEVIATIONS = { tight: 0.5, wide: 1 };

export const bench: Bench = {
  about: 'where weights pay: the gain over balanced against the unevenness of the cells',
  async *cases(wanted) {
    const runtime = await createModelRuntime({ provider: 'cpu', threads: 2 });
    const parts: string[] = [];
    for (const k of [10, 50]) {
      const name = `K=${k}`;
      if (!wanted(name)) continue;
      const rows: Row[] = [];
      for (const set of SETS)
        for (const [classIndex, { className, points }] of (await classesOf(set)).entries())
          rows.push({ set, className, ...(await measure(points, k, classIndex, runtime.product)) });
      const picture = `weights-map-${k}.svg`;
      await keep(picture, drawn(rows));
      parts.push(section(k, picture, rows));
      yield* compared(name, rows);
    }
    if (parts.length === 2) await keep('weights-map.md', `${[HEAD, ...parts].join('\n\n')}\n`);
    await runtime.close();
  },
};

interface Row {
  set: Set_;
  className: string;
  /** 1 - ESS/K of the Voronoi weights. */
  unevenness: number;
  overBalanced: number;
  overUniform: number;
}

async function classesOf(set: Set_): Promise<{ className: string; points: Points }[]> {
  if (set === 'glyphs' || set === 'cifar10') return await latentsOf(set);
  return DECAYS.map((decay) => ({ className: `decay ${decay}`, points: mixture(decay, DEVIATIONS[set]) }));
}

/** 2,000 samples of 12 normal modes in 64 dimensions; the same numbers for every mixture. */
function mixture(decay: number, deviation: number): Points {
  const [n, d] = [2000, 64];
  const random = randomStream({ seed: 1, classIndex: 0, purpose: 'mixture' });
  const centres = randomStream({ seed: 1, classIndex: 0, purpose: 'centres of the mixture' }).normals(MODES * d);
  const masses = Array.from({ length: MODES }, (_, m) => Math.exp(-m * decay));
  const all = masses.reduce((a, b) => a + b);
  const values = random.normals(n * d).map((x) => deviation * x);
  for (let i = 0; i < n; i++) {
    let left = random.uniform(2 * n * d + i) * all;
    let mode = 0;
    while (mode < MODES - 1 && left > masses[mode]!) left -= masses[mode++]!;
    for (let j = 0; j < d; j++) values[i * d + j]! += centres[mode * d + j]!;
  }
  return { values, n, d };
}

async function measure(points: Points, k: number, classIndex: number, product: MatrixProduct) {
  const { fit, balanced } = await weightedAndBalanced(points, k, { seed: 0, classIndex }, product);
  const { w2: uniform } = await wasserstein2(points, fit.centroids, new Float64Array(k).fill(1 / k), { product });
  const weighted = Math.sqrt(fit.distortion);
  return {
    unevenness: 1 - effectiveSampleSize(fit.weights) / k,
    overBalanced: 1 - weighted / balanced.w2,
    overUniform: 1 - weighted / uniform,
  };
}

function* compared(name: string, rows: readonly Row[]): Generator<BenchCase> {
  const round = (value: number) => Number(value.toFixed(5));
  const gain = (set: Set_) => round(mean(rows.filter((row) => row.set === set).map((row) => row.overBalanced)));
  yield {
    case: `${name} never loses to balanced`,
    unit: 'count',
    ours: rows.filter((row) => row.overBalanced >= 0).length,
    peers: { classes: rows.length },
    target: 1,
    meanGain: Object.fromEntries(SETS.map((set) => [set, gain(set)])),
  };
  yield {
    case: `${name} gains more where modes are tight`,
    unit: 'share',
    ours: gain('tight'),
    peers: { wide: gain('wide') },
    target: 1,
  };
}

const NAMES: Record<Set_, string> = {
  tight: 'mixtures, tight modes',
  wide: 'mixtures, wide modes',
  glyphs: 'glyphs',
  cifar10: 'CIFAR-10',
};

const COLORS: Record<Set_, string> = { tight: WEIGHTED, wide: UNIFORM, glyphs: D4M, cifar10: BALANCED };

function drawn(rows: readonly Row[]): string {
  const marks = rows.map(({ set, className, unevenness, overBalanced }): WeightsMark => ({
    name: className,
    unevenness,
    gain: overBalanced,
    series: NAMES[set],
  }));
  const options = {
    series: SETS.map((set) => ({ name: NAMES[set], color: COLORS[set] })),
    gainOver: 'the balanced quantizer',
    width: 760,
    height: 420,
  };
  const picture = weightsMap(marks, options).replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ');
  return `${picture.replace(/(<svg [^>]*>)/, `$1<style>${palette()}</style><rect width="100%" height="100%" fill="${CARD}"/>`)}\n`;
}

async function keep(file: string, content: string): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, file), content);
}

const HEAD = `# Where weights pay

Written by \`npm run bench -- weights-map\`. How much nearer to the latents the weighted codebook is than the best one with uniform weights (_over balanced_) and than
its own points with uniform weights (_over uniform_), in W2 by exact transport, 1 - weighted / other; against how uneven the cells are, 1 - ESS / K. Mixtures: 2,000
samples of 12 normal modes in 64 dimensions, mode m of a mass that goes with exp(-m decay); their deviation is 1 (wide) or 0.5 (tight) where that of the centres is 1.

Over balanced is what weights are worth; the rest of the reduction over uniform is that the points of one quantizer are the wrong ones for the other's
weights. Uneven cells are not enough: weights pay where the modes also lie apart, so that a point of mass 1/K has to serve two of them, and less
once there are several points for each mode. The classes of CIFAR-10 have uneven cells at K = 50, and gain next to nothing.`;

function section(k: number, picture: string, rows: readonly Row[]): string {
  const percent = (x: number) => `${(100 * x).toFixed(2)}%`;
  const head = ['set', 'class', '1 - ESS / K', 'over balanced', 'over uniform'];
  const lines = [
    head,
    head.map((_, c) => (c < 2 ? '---' : '---:')),
    ...rows.map((row) => [
      NAMES[row.set],
      row.className,
      row.unevenness.toFixed(3),
      percent(row.overBalanced),
      percent(row.overUniform),
    ]),
  ];
  const title = `## K = ${k}`;
  const shown = `![Gain of W2 over the balanced quantizer against the unevenness of the cells, K = ${k}](${picture})`;
  return [title, '', shown, '', ...lines.map((line) => `| ${line.join(' | ')} |`)].join('\n');
}
