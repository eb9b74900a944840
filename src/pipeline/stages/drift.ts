import { type JsonObject } from '../../base/json.ts';
import { type Points } from '../../numerics/math/points.ts';
import { mean } from '../../numerics/math/sum.ts';
import { nearestCentroids } from '../../numerics/quantize/distortion.ts';
import { homogeneityTest, massChange } from '../../numerics/statistics/homogeneity.ts';
import { rankTest } from '../../numerics/statistics/ranks.ts';
import { readManifest } from '../artifacts.ts';
import { isTestable, sampledClass, type TestedClass } from '../drift/classes.ts';
import { readPicks } from '../drift/picks.ts';
import { type DriftRecipe } from '../drift/recipe.ts';
import { countsOf, type Reference, readReference } from '../drift/reference.ts';
import { latentsIdentity, pixelsOf } from '../encoding.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { readEncoded } from '../latents.ts';
import { describedPrior } from '../prior/described.ts';
import { type ObjectStore } from '../ports.ts';
import { type Produced, type Stage, taskOf } from '../stage.ts';

/**
 * New images against a codebook, one class a task: how far they lie from its points beside what was held out, and whether they fall into its cells as
 * often as that did. Both of samples that the quantizer never saw: fitted distances are shorter, and would call every new image drift.
 *
 * n images of d dimensions and K points take a product of n d K.
 */
export const drift: Stage<DriftRecipe> = {
  name: 'drift',
  version: 1,

  async plan({ published, inputs, projectId, store }) {
    const samples = (published.get('sample') ?? []).filter((one) => isTestable(sampledClass(one)));
    if (samples.length === 0) return { kind: 'skip', reason: 'no class has enough new images to compare' };
    const version = await readManifest(store, projectId, inputs['datasetVersion']!);
    const described = {
      prior: await describedPrior(store, projectId, inputs['prior']!),
      pixels: await pixelsOf(store, projectId, version),
    };
    const latents = Map.groupBy(published.get('encode') ?? [], ({ task }) => task.labels['class']!);
    const tasks = samples.map((one, index) => {
      const { className, label, sampled, sample } = sampledClass(one);
      const codebook = one.task.locators['codebook'] as string;
      const options: JsonObject = { className, label, latents: latentsIdentity(described, sample) };
      return taskOf(drift, {
        index,
        title: className,
        labels: { class: className },
        items: sampled,
        options,
        // which images, and so their latents, the options say already
        identity: [codebook],
        inputs: [codebook, one.manifest.id, ...latents.get(className)!.map(({ manifest }) => manifest.id)],
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, { store, projectId, runtime: { product }, signal, onProgress }) {
    const { className, label } = task.options as { className: string; label: number };
    const [codebook, sampleId, ...latents] = task.inputs as [string, string, ...string[]];
    const reference = await readReference(store, projectId, codebook);
    const points = await readSample(store, projectId, sampleId, latents);
    const { assignment, squaredDistances } = await nearestCentroids(points, reference.centroids, { product, signal });
    onProgress(points.n);
    return testedArtifact({ className, label }, reference, {
      counts: countsOf(assignment, reference.centroids.n),
      // as the reference has them, so that equal ones are equal
      squaredDistances: Float32Array.from(squaredDistances),
    });
  },
};

/** The latents of the chosen images, in the order of their digests. An image that could not be decoded is left out, as the recipe tolerates. */
async function readSample(
  store: ObjectStore,
  projectId: string,
  sampleId: string,
  artifactIds: readonly string[],
): Promise<Points> {
  const picks = await readPicks(store, projectId, sampleId);
  const left = new Set(picks.flatMap(({ images }) => images));
  const found: { digest: string; values: Float32Array }[] = [];
  let d = 0;
  for (const id of artifactIds) {
    const { points, digests } = await readEncoded(store, projectId, id);
    ({ d } = points);
    const hex = Buffer.from(digests).toString('hex');
    for (let i = 0; i < points.n; i++) {
      const digest = hex.slice(64 * i, 64 * (i + 1));
      if (left.delete(digest)) found.push({ digest, values: points.values.slice(i * d, (i + 1) * d) });
    }
  }
  found.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const values = new Float32Array(found.length * d);
  found.forEach((one, i) => values.set(one.values, i * d));
  return { values, n: found.length, d };
}

const SHARES = [0.05, 0.25, 0.5, 0.75, 0.95];

interface Cells {
  counts: Int32Array;
  squaredDistances: Float32Array;
}

function testedArtifact(of: { className: string; label: number }, reference: Reference, sampled: Cells): Produced {
  const [before, now] = [reference.squaredDistances.map(Math.sqrt), sampled.squaredDistances.map(Math.sqrt)];
  const distances = rankTest(before, now);
  const masses = homogeneityTest(reference.counts, sampled.counts);
  const { totalVariation, expected } = massChange(reference.counts, sampled.counts);
  const [referenceDistance, distance] = [mean(before), mean(now)];
  const content: TestedClass = {
    ...of,
    ...{ k: reference.centroids.n, referenceN: before.length, n: now.length },
    distances: distances && { ...distances },
    masses: masses && { ...masses },
    ...{ referenceDistance, distance, distanceRatio: ratio(distance, referenceDistance) },
    ...{ totalVariation, expectedVariation: expected, massChange: Math.max(0, totalVariation - expected) },
    quantiles: { shares: SHARES, reference: quantiles(before), sample: quantiles(now) },
  };
  const k = reference.centroids.n;
  const bytes = writeSafetensors({
    // (k,) held-out samples and new images of each cell
    referenceCounts: { type: 'int32', data: reference.counts, shape: [k] },
    counts: { type: 'int32', data: sampled.counts, shape: [k] },
    // squared distances of the new images to their points, in the order of their digests
    squaredDistances: { type: 'float32', data: sampled.squaredDistances, shape: [now.length] },
  });
  return {
    kind: 'driftTest',
    blobs: { 'drift.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
    content,
    metrics: {
      driftN: now.length,
      driftReferenceN: before.length,
      distanceRatio: content.distanceRatio,
      massChange: content.massChange,
      ...(distances && { distancePValue: distances.pValue }),
      ...(masses && { massPValue: masses.pValue }),
    },
  };
}

/** Null as JSON has no infinity: new distances beside a reference of zeros are as far off as can be. */
const ratio = (now: number, before: number): number => (before > 0 ? now / before : now > 0 ? Number.MAX_VALUE : 1);

function quantiles(values: Float32Array): number[] {
  const sorted = values.slice().sort();
  return SHARES.map((share) => sorted[Math.round(share * (sorted.length - 1))]!);
}
