/**
 * The W2 table: our weighted codebooks against the same points with equal weights, D4M and the balanced optimum, class by class, by exact
 * transport. Writes results/w2.md.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createModelRuntime } from '../../src/adapters/runtime/index.ts';
import { type Points } from '../../src/numerics/math/points.ts';
import { type MatrixProduct } from '../../src/numerics/math/product.ts';
import { mean } from '../../src/numerics/math/sum.ts';
import { effectiveSampleSize } from '../../src/numerics/quantize/weights.ts';
import { wasserstein2 } from '../../src/numerics/transport/wasserstein.ts';
import { d4mBaseline } from '../../src/pipeline/compare/baselines.ts';
import { type Bench, type BenchCase } from './bench.ts';
import { weightedAndBalanced } from './fits.ts';
import { latentsOf, type LatentSet } from './latents.ts';

const SHUFFLES = 10;

/** What the paper reports on ImageNet-1K against D4M: Tan and Slade 2025, latent W2, mean over classes. */
const PAPER: Record<number, number> = { 10: 0.157, 50: 0.161 };

export const bench: Bench = {
  about: 'the W2 table: weighted against equal weights, D4M and the balanced optimum',
  async *cases(wanted) {
    const runtime = await createModelRuntime({ provider: 'cpu', threads: 2 });
    for (const set of ['glyphs', 'cifar10'] as const)
      for (const k of [10, 50]) {
        const name = `${set} K=${k}`;
        if (!wanted(name)) continue;
        const rows: Row[] = [];
        for (const [classIndex, { className, points }] of (await latentsOf(set)).entries())
          rows.push({ className, ...(await measure(points, k, classIndex, runtime.product)) });
        await keep(set, k, rows);
        yield* compared(name, rows);
      }
    await runtime.close();
  },
};

interface Measured {
  weighted: number;
  uniform: number;
  balanced: number;
  d4m: number;
  d4mDeviation: number;
  ess: number;
}

type Row = Measured & { className: string };

async function measure(points: Points, k: number, classIndex: number, product: MatrixProduct): Promise<Measured> {
  const key = { seed: 0, classIndex };
  const { fit, balanced } = await weightedAndBalanced(points, k, key, product);
  const { w2: uniform } = await wasserstein2(points, fit.centroids, new Float64Array(k).fill(1 / k), { product });
  const d4m = await d4mBaseline(points, { k, shuffles: SHUFFLES, ...key }, { product });
  return {
    weighted: Math.sqrt(fit.distortion),
    uniform,
    balanced: balanced.w2,
    d4m: d4m.w2Mean,
    d4mDeviation: d4m.w2Deviation,
    ess: effectiveSampleSize(fit.weights),
  };
}

/** In how many classes ours is below, all of them being asked for; and the mean reductions. */
function* compared(name: string, rows: readonly Row[]): Generator<BenchCase> {
  const reduction = (of: (row: Row) => number) =>
    Number(mean(rows.map((row) => 1 - row.weighted / of(row))).toFixed(4));
  const reductions = {
    againstD4m: reduction((row) => row.d4m),
    againstBalanced: reduction((row) => row.balanced),
    againstUniform: reduction((row) => row.uniform),
  };
  const count = (of: (row: Row) => boolean) => rows.filter(of).length;
  const base = { unit: 'count', peers: { classes: rows.length }, target: 1 };
  yield { case: `${name} below the mean of D4M`, ...base, ours: count((row) => row.weighted < row.d4m), ...reductions };
  yield { case: `${name} not above balanced`, ...base, ours: count((row) => row.weighted <= row.balanced) };
}

/** Replaces the part of the table between its markers. */
async function keep(set: LatentSet, k: number, rows: readonly Row[]): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'w2.md');
  const before = await readFile(file, 'utf8').catch(() => HEAD);
  const title = `## ${set}, K = ${k}`;
  const parts = before.split(/\n(?=## )/).map((part) => part.trimEnd());
  const at = parts.findIndex((part) => part.startsWith(title));
  const part = table(title, k, rows);
  if (at >= 0) parts[at] = part;
  else parts.push(part);
  await writeFile(file, `${parts.join('\n\n')}\n`);
}

const HEAD = `# W2 to the latents, by exact transport

Written by \`npm run bench -- w2\`. _weighted_: our codebook with its Voronoi weights. _equal_: the same points with weights 1/K. _balanced_: the
optimum for weights 1/K. _D4M_: its quantizer as its code runs it, with weights 1/K, mean and standard deviation over ten shuffles. ESS: effective
sample size of our weights, in points. Reductions are 1 - weighted / other, and their means over classes.`;

function table(title: string, k: number, rows: readonly Row[]): string {
  const percent = (x: number) => `${(100 * x).toFixed(1)}%`;
  const cells = (row: Row) => [
    row.className,
    row.weighted.toFixed(3),
    row.uniform.toFixed(3),
    row.balanced.toFixed(3),
    `${row.d4m.toFixed(3)} ± ${row.d4mDeviation.toFixed(3)}`,
    percent(1 - row.weighted / row.d4m),
    percent(1 - row.weighted / row.balanced),
    percent(1 - row.weighted / row.uniform),
    row.ess.toFixed(1),
  ];
  const average = (of: (row: Row) => number) => mean(rows.map(of));
  const last = [
    '**mean**',
    average((row) => row.weighted).toFixed(3),
    average((row) => row.uniform).toFixed(3),
    average((row) => row.balanced).toFixed(3),
    `${average((row) => row.d4m).toFixed(3)} ± ${average((row) => row.d4mDeviation).toFixed(3)}`,
    percent(average((row) => 1 - row.weighted / row.d4m)),
    percent(average((row) => 1 - row.weighted / row.balanced)),
    percent(average((row) => 1 - row.weighted / row.uniform)),
    average((row) => row.ess).toFixed(1),
  ];
  const head = ['class', 'weighted', 'equal', 'balanced', 'D4M', 'vs D4M', 'vs balanced', 'vs equal', 'ESS'];
  const lines = [head, head.map((_, c) => (c === 0 ? '---' : '---:')), ...rows.map(cells), last];
  return [
    title,
    '',
    ...lines.map((line) => `| ${line.join(' | ')} |`),
    '',
    `The paper's reduction against D4M, on other data (ImageNet-1K): ${percent(PAPER[k]!)}.`,
  ].join('\n');
}
