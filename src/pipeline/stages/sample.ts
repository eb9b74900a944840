import { digestOf, sha256, type JsonObject } from '../../base/json.ts';
import { readManifest } from '../artifacts.ts';
import { type DatasetChunk, readChunks, readEntries } from '../dataset/version.ts';
import { type SampledClass } from '../drift/classes.ts';
import { type DriftRecipe } from '../drift/recipe.ts';
import { readKnownImages, referenceClasses } from '../drift/reference.ts';
import { type Pick, PICKS } from '../drift/picks.ts';
import { SmallestKeys } from '../drift/sampling.ts';
import { type Stage, taskOf } from '../stage.ts';

/**
 * Which images of a version a drift run looks at, a class a task: a seeded sample of those that are new. An image that the reference has is
 * counted and left out. It has not changed; the quantizer learned from it, and so it lies nearer to its point than any new image would, which would hide drift
 * or, in a test that asks both ways, be called drift; or it was held out, and is what new images are compared with.
 */
export const sample: Stage<DriftRecipe> = {
  name: 'sample',
  version: 1,

  async plan({ recipe, inputs, projectId, store }) {
    const version = await readManifest(store, projectId, inputs['datasetVersion']!);
    const chunks = Map.groupBy(await readChunks(store, projectId, version), (chunk) => chunk.className);
    const wanted = (name: string) => recipe.classes?.includes(name) ?? true;
    const classes = (await referenceClasses(store, projectId, inputs['reference']!)).filter(
      ({ className }) => wanted(className) && chunks.has(className),
    );
    if (classes.length === 0) return { kind: 'skip', reason: 'the version has no class that the reference has' };
    const tasks = classes.map(({ className, codebook, heldoutN }, index) => {
      const own = chunks.get(className)!;
      const options: JsonObject = {
        className,
        label: own[0]!.label,
        seed: recipe.seed,
        samples: recipe.samplesPerClass,
        images: digestOf(own.map((chunk) => chunk.digest)),
      };
      return taskOf(sample, {
        index,
        title: className,
        labels: { class: className },
        items: own.reduce((sum, chunk) => sum + chunk.count, 0),
        options,
        locators: { codebook, heldoutN, datasetVersion: version.id },
        identity: [codebook],
        inputs: [codebook, version.id],
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, { store, projectId, onProgress }) {
    const { className, label, seed, samples } = task.options as unknown as SampleOptions;
    const { codebook, heldoutN, datasetVersion } = task.locators as unknown as SampleLocators;
    const version = await readManifest(store, projectId, datasetVersion);
    const chunks = (await readChunks(store, projectId, version)).filter((chunk) => chunk.className === className);
    const known = await readKnownImages(store, projectId, codebook);
    const digestsOf = async (chunk: DatasetChunk) =>
      (await readEntries(store, projectId, version, chunk)).map((entry) => entry.sha256);

    const smallest = new SmallestKeys(samples, seed);
    const seen = new Set<string>();
    let images = 0;
    let fresh = 0;
    for (const chunk of chunks) {
      for (const digest of await digestsOf(chunk)) {
        if (known.has(digest)) seen.add(digest);
        else {
          smallest.add(digest);
          fresh++;
        }
      }
      images += chunk.count;
      onProgress(images);
    }
    const chosen = smallest.images();
    const content: SampledClass = {
      ...{ className, label, images, fresh, kept: images - fresh, removed: known.size - seen.size, heldoutN },
      ...{ sampled: chosen.length, sample: sha256(chosen.join('\n')) },
    };
    const left = new Set(chosen);
    const picks: Pick[] = [];
    for (const chunk of chosen.length > 0 ? chunks : []) {
      const pick: Pick = { chunk: chunk.digest, rows: [], images: [] };
      for (const [row, digest] of (await digestsOf(chunk)).entries()) {
        if (!left.delete(digest)) continue;
        pick.rows.push(row);
        pick.images.push(digest);
      }
      if (pick.rows.length > 0) picks.push(pick);
    }
    return {
      kind: 'driftSample',
      blobs: {
        [PICKS]: { bytes: new TextEncoder().encode(JSON.stringify(picks)), mediaType: 'application/json' },
      },
      content,
      metrics: { images, fresh, sampled: chosen.length },
    };
  },
};

interface SampleOptions {
  className: string;
  label: number;
  seed: number;
  samples: number;
}

interface SampleLocators {
  codebook: string;
  heldoutN: number;
  datasetVersion: string;
}
