import { PushforwardError } from '../../base/errors.ts';
import { type TaskSpec } from '../../engine/ports.ts';
import { readManifest } from '../artifacts.ts';
import { datasetContent, readChunks, readSources } from '../dataset/version.ts';
import { ENCODE, type EncodeLocators, encodeTask, entriesOf, pixelsOf } from '../encoding.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { decodedBatches, type SkippedImage } from '../images.ts';
import { assertFiniteLatents } from '../latents.ts';
import { describedPrior } from '../prior/described.ts';
import { latentLength } from '../prior/description.ts';
import { type Produced, type Stage } from '../stage.ts';

/**
 * Images to latents, a chunk of images a task: the posterior means of the prior's VAE encoder. A task is named by the
 * encoder and the digests of its images, so other versions of the dataset and other recipes find its latents again.
 */
export const encode: Stage = {
  ...ENCODE,

  async plan({ recipe, inputs, projectId, store }) {
    const versionId = inputs['datasetVersion']!;
    const version = await readManifest(store, projectId, versionId);
    const prior = await describedPrior(store, projectId, inputs['prior']!);
    const known = datasetContent(version).classes.map((entry) => entry.name);
    const pixels = await pixelsOf(store, projectId, version);
    const wanted = new Set(recipe.classes ?? known);
    const chunks = (await readChunks(store, projectId, version)).filter((chunk) => wanted.has(chunk.className));
    const perClass = Map.groupBy(chunks, (chunk) => chunk.className);
    const tasks = chunks.map((chunk, index): TaskSpec => {
      const siblings = perClass.get(chunk.className)!;
      const title =
        siblings.length === 1
          ? chunk.className
          : `${chunk.className} ${siblings.indexOf(chunk) + 1}/${siblings.length}`;
      return encodeTask({
        ...{ index, title, chunk, images: chunk.digest, count: chunk.count, described: { prior, pixels } },
        ...{ inputs, corruptImages: recipe.tolerances.corruptImages },
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const { store, projectId, images, batch, signal } = context;
    const locators = task.locators as unknown as EncodeLocators;
    const prior = await context.prior(locators.prior);
    const version = await readManifest(store, projectId, locators.datasetVersion);
    const entries = await entriesOf(locators, version, { store, projectId });
    const sources = await readSources(store, projectId, version);
    const target = { ...prior.description.image, maxPixels: MAX_PIXELS };
    const d = latentLength(prior.description);

    const latents = new Float32Array(entries.length * d);
    const digests = new Uint8Array(entries.length * 32);
    const skipped: SkippedImage[] = [];
    let kept = 0;
    const stored = images.reader.read(projectId, sources, entries, signal);
    for await (const part of decodedBatches(stored, images.codec, target, batch, signal)) {
      skipped.push(...part.skipped);
      refuseCorrupt(locators, skipped);
      if (part.digests.length > 0) {
        const means = await prior.encode(part.pixels);
        assertFiniteLatents(means, d, (row) => `image ${part.paths[row]}`);
        latents.set(means, kept * d);
        part.digests.forEach((digest, i) => digests.set(Buffer.from(digest, 'hex'), (kept + i) * 32));
        kept += part.digests.length;
      }
      context.onProgress(kept + skipped.length);
    }
    return latentsArtifact(
      prior.description.latent,
      latents.subarray(0, kept * d),
      digests.subarray(0, kept * 32),
      skipped,
    );
  },
};

/** An image with more pixels than this is refused from its header. */
const MAX_PIXELS = 100_000_000;

function refuseCorrupt({ className, corruptImages }: EncodeLocators, skipped: readonly SkippedImage[]): void {
  if (skipped.length <= corruptImages) return;
  const named = skipped.map((image) => `${image.path}: ${image.reason}`).slice(0, 3);
  throw new PushforwardError(
    'CORRUPT_IMAGE',
    `expected at most ${corruptImages} corrupt images in class ${className}, got ${skipped.length} or more ` +
      `(${named.join('; ')}): mend or remove them and import again, or raise tolerances.corruptImages (--tolerate-corrupt)`,
    { className, skipped: skipped.slice(0, 20).map((image) => ({ ...image })) },
  );
}

function latentsArtifact(
  { channels, height, width }: { channels: number; height: number; width: number },
  latents: Float32Array,
  digests: Uint8Array,
  skipped: SkippedImage[],
): Produced {
  const n = digests.length / 32;
  const bytes = writeSafetensors({
    latents: { type: 'float32', data: latents, shape: [n, channels, height, width] },
    // sha256 of the stored bytes of each image
    digests: { type: 'uint8', data: digests, shape: [n, 32] },
  });
  return {
    kind: 'latents',
    blobs: { 'latents.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
    content: { skipped: skipped.map((image) => ({ ...image })) },
    metrics: { images: n, skipped: skipped.length },
  };
}
