import { type TaskSpec } from '../../engine/ports.ts';
import { artifactKey, readManifest } from '../artifacts.ts';
import { chunkDigest } from '../dataset/digest.ts';
import { readChunks } from '../dataset/version.ts';
import { isTestable, sampledClass } from '../drift/classes.ts';
import { readPicks } from '../drift/picks.ts';
import { type DriftRecipe } from '../drift/recipe.ts';
import { encodeTask, type PickedImages, pixelsOf } from '../encoding.ts';
import { describedPrior } from '../prior/described.ts';
import { type Stage } from '../stage.ts';
import { encode } from './encode.ts';

/**
 * The encode stage of a drift run. A chunk whose latents are in the store already, since another run encoded it, is found there; of all others
 * exactly the sampled images are encoded, in one task for a class. So what is encoded is never more than the sample, and often nothing. What is planned
 * depends on what the store has, then, and what follows does not: an image has the same latents either way.
 */
export const encodeSample: Stage<DriftRecipe> = {
  ...encode,

  async plan({ recipe, published, inputs, projectId, store }) {
    const version = await readManifest(store, projectId, inputs['datasetVersion']!);
    const described = {
      prior: await describedPrior(store, projectId, inputs['prior']!),
      pixels: await pixelsOf(store, projectId, version),
    };
    const chunks = new Map((await readChunks(store, projectId, version)).map((chunk) => [chunk.digest, chunk]));
    const tasks: TaskSpec[] = [];
    for (const one of published.get('sample') ?? []) {
      const of = sampledClass(one);
      if (!isTestable(of)) continue;
      const { className, label } = of;
      const shared = { described, inputs, corruptImages: recipe.tolerances.corruptImages };
      const rest: PickedImages[] = [];
      const images: string[] = [];
      for (const pick of await readPicks(store, projectId, one.manifest.id)) {
        const chunk = chunks.get(pick.chunk)!;
        const title = `${className}, a chunk that is there`;
        const whole = encodeTask({
          ...{ ...shared, index: tasks.length, title, chunk, images: chunk.digest, count: chunk.count },
        });
        if (await store.head(artifactKey(projectId, whole.artifactId))) tasks.push(whole);
        else {
          rest.push({ chunk, rows: pick.rows });
          images.push(...pick.images);
        }
      }
      if (rest.length === 0) continue;
      const sorted = images.sort().map((sha256) => ({ sha256 }));
      tasks.push(
        encodeTask({
          ...{ ...shared, index: tasks.length, title: className, chunk: { className, label }, picked: rest },
          ...{ images: chunkDigest(className, sorted), count: sorted.length },
        }),
      );
    }
    if (tasks.length === 0) return { kind: 'skip', reason: 'no class has enough new images to compare' };
    return { kind: 'tasks', tasks };
  },
};
