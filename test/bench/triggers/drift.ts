/**
 * How often drift is called where there is none, and how often it is found where there is: CIFAR-10 by our prior, ten classes, Holm at 5%.
 * Codebooks are fitted on one half of each class; of the other half each draw deals out, at random, what was held out and what is new. So draws do not depend on each other, and
 * where nothing has changed their alarms are binomial.
 */
import { createModelRuntime } from '../../../src/adapters/runtime/index.ts';
import { type Points } from '../../../src/numerics/math/points.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { corrected } from '../../../src/numerics/statistics/correction.ts';
import { homogeneityTest } from '../../../src/numerics/statistics/homogeneity.ts';
import { rankTest } from '../../../src/numerics/statistics/ranks.ts';
import { type BenchCase } from '../bench.ts';
import { type Alteration, latentsOf } from '../latents.ts';

const K = 50;
const DRAWS = 200;
const ALPHA = 0.05;
/** Of each class: what codebooks are fitted on, and what draws are dealt from; the rest is for what is altered. */
const [FITTED, DEALT] = [2500, 2000];
const SAMPLES = 500;
const CORRUPTED = 100;
const ALTERED = 500;

/** Normal noise of a tenth of the range, and a blur of one pixel's deviation: what a bad cable or a bad lens does. */
const NOISE: Alteration = {
  ...{ name: 'noise-25', most: ALTERED },
  alter(pixels, size, channels, number) {
    const random = randomStream({ seed: number, classIndex: 0, purpose: 'corrupt' });
    for (let i = 0; i < size * size * channels; i++) pixels[i] = clamp(pixels[i]! + 25 * random.normal(i));
  },
};
const BLUR: Alteration = {
  ...{ name: 'blur-1', most: ALTERED },
  alter(pixels, size, channels) {
    for (const step of [channels, size * channels]) blurred(pixels, size, step);
  },
};

const clamp = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));

/** Along one axis, by a normal kernel of deviation 1; edges repeat. */
function blurred(pixels: Uint8Array, size: number, step: number): void {
  const before = Float64Array.from(pixels);
  const weights = [-2, -1, 0, 1, 2].map((x) => Math.exp((-x * x) / 2));
  const all = weights.reduce((a, b) => a + b);
  for (let i = 0; i < before.length; i++) {
    const place = Math.floor(i / step) % size;
    let value = 0;
    weights.forEach((weight, at) => {
      const other = Math.max(0, Math.min(size - 1, place + at - 2));
      value += weight * before[i + (other - place) * step]!;
    });
    pixels[i] = clamp(value / all);
  }
}

/** Where images of a class lie: the point of each, and the distance to it. */
interface Assigned {
  point: Int32Array;
  distance: Float64Array;
}

interface ClassSets {
  fitted: Assigned;
  dealt: Assigned;
  /** The images of the next class, beside the points of this one. */
  other: Assigned;
  noise: Assigned;
  blur: Assigned;
}

/** Which images of a class are new, of those that were dealt to it: `(draw, class, order of what is dealt)`. */
type Change = (sets: ClassSets, order: Int32Array, classIndex: number) => Assigned;

export async function* driftCases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  const cases = CASES.filter(({ name }) => wanted(name));
  if (cases.length === 0) return;
  const sets = await classSets();
  for (const { name, change, ...of } of cases) {
    const found = alarms(sets, change, 'dealt');
    if (of.limit !== undefined) {
      const againstFitted = alarms(sets, change, 'fitted');
      yield {
        case: name,
        unit: 'alarms',
        ours: found,
        peers: { limit: of.limit },
        target: 1,
        draws: DRAWS,
        againstFitted,
      };
    } else {
      const quarter = { draws: DRAWS, samples: SAMPLES };
      yield { case: name, unit: 'share', ours: found / DRAWS, peers: { asked: of.asked! }, target: 1, ...quarter };
    }
  }
}

const rowsOf = ({ point, distance }: Assigned, rows: Int32Array): Assigned => ({
  point: rows.map((row) => point[row]!),
  distance: Float64Array.from(rows, (row) => distance[row]!),
});
const joined = (a: Assigned, b: Assigned): Assigned => ({
  point: Int32Array.of(...a.point, ...b.point),
  distance: Float64Array.of(...a.distance, ...b.distance),
});
const like: Change = ({ dealt }, order) => rowsOf(dealt, order.subarray(SAMPLES, 2 * SAMPLES));

/** A fifth of the new images is altered; of one class, or of each. */
const corrupted =
  (by: 'noise' | 'blur', classes: (classIndex: number) => boolean): Change =>
  (sets, order, classIndex) => {
    if (!classes(classIndex)) return like(sets, order, classIndex);
    const clean = rowsOf(sets.dealt, order.subarray(SAMPLES, 2 * SAMPLES - CORRUPTED));
    const rows = order.filter((row) => row < ALTERED).subarray(0, CORRUPTED);
    return joined(clean, rowsOf(sets[by], rows));
  };
const first = (classIndex: number) => classIndex === 0;
const each = () => true;

const CASES: readonly { name: string; change: Change; limit?: number; asked?: number }[] = [
  { name: 'drift: like images', change: like, limit: 17 },
  {
    name: 'drift: one class is another',
    change: (sets, order, classIndex) =>
      first(classIndex) ? rowsOf(sets.other, order.subarray(SAMPLES, 2 * SAMPLES)) : like(sets, order, classIndex),
    asked: 1,
  },
  { name: 'drift: a fifth of each class noisy', change: corrupted('noise', each), asked: 0.95 },
  { name: 'drift: a fifth of each class blurred', change: corrupted('blur', each), asked: 0.95 },
  { name: 'drift: a fifth of one class noisy', change: corrupted('noise', first), asked: 0.95 },
  { name: 'drift: a fifth of one class blurred', change: corrupted('blur', first), asked: 0.95 },
];

function alarms(sets: readonly ClassSets[], change: Change, reference: 'dealt' | 'fitted'): number {
  let found = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const pValues = sets.flatMap((of, classIndex) => {
      const order = shuffled(DEALT, draw, classIndex);
      const before = reference === 'fitted' ? of.fitted : rowsOf(of.dealt, order.subarray(0, SAMPLES));
      const now = change(of, order, classIndex);
      const tests = [rankTest(before.distance, now.distance), homogeneityTest(countsOf(before), countsOf(now))];
      return tests.flatMap((test) => (test ? [test.pValue] : []));
    });
    if (corrected(pValues, 'HOLM').some((p) => p <= ALPHA)) found++;
  }
  return found;
}

function shuffled(n: number, draw: number, classIndex: number): Int32Array {
  const random = randomStream({ seed: draw, classIndex, purpose: 'deal' });
  const keys = Float64Array.from({ length: n }, (_, i) => random.uniform(i));
  return Int32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]!);
}

function countsOf({ point }: Assigned): Int32Array {
  const counts = new Int32Array(K);
  for (const at of point) counts[at]!++;
  return counts;
}

async function classSets(): Promise<ClassSets[]> {
  const runtime = await createModelRuntime({ provider: 'cpu', threads: 2 });
  const { product } = runtime;
  const [clean, noise, blur] = [
    await latentsOf('cifar10'),
    await latentsOf('cifar10', NOISE),
    await latentsOf('cifar10', BLUR),
  ];
  const sets: ClassSets[] = [];
  for (const [classIndex, { points }] of clean.entries()) {
    const { centroids } = await fitQuantizer(
      part(points, 0, FITTED),
      { k: K, restarts: 3, seed: 0, classIndex },
      { product },
    );
    const assigned = async (some: Points): Promise<Assigned> => {
      const { assignment, squaredDistances } = await nearestCentroids(some, centroids, { product });
      return { point: assignment, distance: squaredDistances.map(Math.sqrt) };
    };
    sets.push({
      fitted: await assigned(part(points, 0, FITTED)),
      dealt: await assigned(part(points, FITTED, FITTED + DEALT)),
      other: await assigned(part(clean[(classIndex + 1) % clean.length]!.points, FITTED, FITTED + DEALT)),
      noise: await assigned(noise[classIndex]!.points),
      blur: await assigned(blur[classIndex]!.points),
    });
  }
  await runtime.close();
  return sets;
}

const part = ({ values, d }: Points, from: number, to: number): Points => ({
  ...{ values: values.subarray(from * d, to * d), n: to - from, d },
});
