import { type JsonObject } from '../../base/json.ts';
import { type TaskSpec } from '../../engine/ports.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { openLatents } from '../latent-stream.ts';
import { readClass, shortDigests, SHORT_DIGEST } from '../latents.ts';
import { pointsPerClass } from '../points.ts';
import { quantizeByClvq } from '../quantizers/clvq.ts';
import { quantizeByLloyd } from '../quantizers/lloyd.ts';
import { quantizerOptions, type Quantized, type QuantizeOptions } from '../quantizers/quantized.ts';
import { taskOf, type Produced, type Stage, type WorkContext } from '../stage.ts';
import { encodedClasses } from '../training.ts';

/**
 * Latents to codebooks, one class a task: the optimal K-point quantizer, its Voronoi weights, and the exact
 * Wasserstein-2 distances that judge it (paper, section 3: the weights that make the quantizer a pushforward).
 */
export const quantize: Stage = {
  name: 'quantize',
  version: 4,

  async plan({ recipe, published }) {
    const classes = encodedClasses(published.get('encode') ?? [], recipe);
    const points = pointsPerClass(recipe, classes, published.get('survey') ?? []);
    const tasks = classes.map(({ name, label, images, latents }, index): TaskSpec => {
      const options: JsonObject = {
        className: name,
        label,
        k: points[index]!,
        holdout: recipe.holdout,
        seed: recipe.seed,
        quantizer: quantizerOptions(recipe.quantizer),
      };
      return taskOf(quantize, {
        index,
        title: name,
        labels: { class: name },
        items: images,
        options,
        identity: latents,
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as QuantizeOptions;
    return codebookArtifact(options, await quantized(options, task.inputs, context));
  },
};

async function quantized(
  { quantizer, ...of }: QuantizeOptions,
  latents: readonly string[],
  context: WorkContext,
): Promise<Quantized & { imageDigests: Uint8Array }> {
  const { store, projectId } = context;
  if (quantizer.algorithm === 'CLVQ') {
    const stream = await openLatents(store, projectId, latents);
    const made = await quantizeByClvq(stream, { ...of, ...quantizer }, context);
    return { ...made, imageDigests: stream.imageDigests };
  }
  const read = await readClass(store, projectId, latents);
  const made = await quantizeByLloyd(read, { ...of, ...quantizer }, context);
  return { ...made, imageDigests: shortDigests(read.digests) };
}

function codebookArtifact(
  { className, label }: QuantizeOptions,
  made: Quantized & { imageDigests: Uint8Array },
): Produced {
  const { n: k, values } = made.centroids;
  const assignment = new Int32Array(made.isHeldOut.length);
  for (let i = 0, j = 0; i < assignment.length; i++) assignment[i] = made.isHeldOut[i] ? -1 : made.assignment[j++]!;
  const bytes = writeSafetensors({
    centroids: { type: 'float32', data: values, shape: [k, ...made.latentShape] },
    weights: { type: 'float64', data: made.weights, shape: [k] },
    counts: { type: 'int32', data: Int32Array.from(made.counts), shape: [k] },
    // the point of each sample of the class, in the order of the dataset version; -1 is held out
    assignment: { type: 'int32', data: assignment, shape: [assignment.length] },
    // of the samples of each cell the one nearest to its centroid, and its place in the order of the dataset version
    medoids: { type: 'float32', data: made.medoids.values, shape: [k, ...made.latentShape] },
    medoidSamples: { type: 'int32', data: made.medoidSamples, shape: [k] },
    // what new images are compared with, see pipeline/drift: of each held-out sample its point, and its squared distance to that
    heldOutAssignment: { type: 'int32', data: made.heldOutAssignment, shape: [made.heldOutAssignment.length] },
    heldOutDistances: {
      type: 'float32',
      data: Float32Array.from(made.heldOutDistances),
      shape: [made.heldOutDistances.length],
    },
    // the first bytes of the sha256 of each stored image, in the order of the dataset version: which images are new
    imageDigests: { type: 'uint8', data: made.imageDigests, shape: [made.isHeldOut.length, SHORT_DIGEST] },
  });
  return {
    kind: 'codebook',
    blobs: { 'codebook.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
    content: { className, label, k, latentShape: made.latentShape },
    metrics: made.metrics,
  };
}
