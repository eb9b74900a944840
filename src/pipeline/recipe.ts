import { z } from 'zod';
import { invalid } from '../base/errors.ts';
import { digestOf, type JsonObject } from '../base/json.ts';
import { checkedBy, execution, tolerances } from './recipe-parts.ts';

/**
 * Everything a run is asked to do. Sections are strict: an unknown field is an error, never ignored.
 * Defaults are filled in, so that a stored recipe says everything.
 */
const quantizer = z
  .strictObject({
    /**
     * LLOYD: greedy k-means++ with restarts, Hartigan's steps and swaps in a sketch of the samples, then Lloyd's algorithm to
     * convergence; holds all latents of a class. CLVQ: competitive learning over a stream of them, for classes that do not fit in memory.
     */
    algorithm: z.enum(['LLOYD', 'CLVQ']).default('LLOYD'),
    /** Of LLOYD. */
    restarts: z.int().min(1).max(1000).default(10),
    /** Of LLOYD. */
    maxIterations: z.int().min(1).max(100_000).default(300),
    /** Of CLVQ: how often it sees every latent. */
    passes: z.int().min(1).max(1000).default(3),
  })
  .prefault({});

const survey = z
  .strictObject({
    /** AUTO: where `totalImages` needs the curves, or they take at most twice the quantizer's work (stages/survey.ts). */
    mode: z.enum(['AUTO', 'ON', 'OFF']).default('AUTO'),
  })
  .prefault({});

const decoder = z
  .strictObject({
    /** AUTO: DIFFUSION where the prior has a denoiser, else VAE. */
    mode: z.enum(['AUTO', 'DIFFUSION', 'VAE']).default('AUTO'),
    /** What is decoded of a cell: its centroid, or its medoid, the real latent nearest to that, which is less smooth. */
    start: z.enum(['CENTROID', 'MEDOID']).default('CENTROID'),
    /** Share of the noise schedule that a codebook point is noised to before it is denoised; 0 decodes it plainly. */
    strength: z.number().min(0).max(1).default(0.7),
    /** Steps of the whole schedule; `strength * steps` of them are run. */
    steps: z.int().min(1).max(1000).default(50),
    /** Classifier-free guidance; 1 is the conditional model alone. */
    guidance: z.number().min(0).max(100).default(4),
  })
  .prefault({});

const labels = z
  .strictObject({
    /** AUTO: TEACHER where the prior has one, else NONE. */
    mode: z.enum(['AUTO', 'TEACHER', 'NONE']).default('AUTO'),
    temperature: z.number().min(0.01).max(1000).default(1),
  })
  .prefault({});

const weights = z
  .strictObject({
    /** a in w = N p_c m^a / sum m^a: 0 is uniform (D4M), 1 the theory. */
    exponent: z.number().min(0).max(1).default(1),
    /** p_c: the class's share of the data, or 1/C. */
    classShares: z.enum(['DATA', 'UNIFORM']).default('DATA'),
    /** Masses m refitted on the decoded images, as the compare stage finds them, in place of the cells' own. */
    refit: z.boolean().default(false),
  })
  .prefault({});

/** What codebooks and images are measured against. Nothing that is made depends on it, but for refitted weights. */
const compare = z
  .strictObject({
    mode: z.enum(['ON', 'OFF']).default('ON'),
    /** Orders of the samples that D4M's quantizer is run on; it gives another codebook for each. */
    d4mShuffles: z.int().min(2).max(1000).default(10),
  })
  .prefault({});

const recipe = z.strictObject({
  datasetVersionId: z.string().min(1),
  priorId: z.string().min(1),
  /** Points of every class; or else `totalImages`. */
  imagesPerClass: z.int().min(1).max(1_000_000).optional(),
  /** Points in all, at least one per class: divided over classes by what each would gain from more. */
  totalImages: z.int().min(1).max(1_000_000_000).optional(),
  /** Class names; absent: all. */
  classes: z.array(z.string().min(1)).min(1).optional(),
  /** Fraction of each class that the quantizer never sees. */
  holdout: z.number().min(0).max(0.9).default(0.1),
  seed: z.int().min(0).max(0xffffffff).default(0),
  survey,
  quantizer,
  decoder,
  labels,
  weights,
  compare,
  tolerances,
  execution,
});

export type Recipe = z.infer<typeof recipe>;

/**
 * Validates and completes a recipe.
 * @throws INVALID_INPUT naming the field, what was expected and what was received
 */
export function parseRecipe(input: unknown): Recipe {
  const parsed = checkedBy(recipe, input);
  checkBudget(parsed);
  const classes = parsed.classes;
  if (classes && new Set(classes).size !== classes.length) {
    const twice = classes.find((name, index) => classes.indexOf(name) !== index);
    throw invalid(`expected each class once in recipe.classes, got ${twice} twice: remove one`, { path: ['classes'] });
  }
  if (parsed.weights.refit && parsed.compare.mode === 'OFF') {
    throw invalid(
      'expected recipe.compare.mode ON with recipe.weights.refit, got OFF: weights are refitted where images are compared, so leave one of the two out',
      { path: ['compare', 'mode'] },
    );
  }
  return parsed;
}

function checkBudget({ imagesPerClass, totalImages, survey }: Recipe): void {
  if (imagesPerClass === undefined && totalImages === undefined) {
    throw invalid('expected one of recipe.imagesPerClass and recipe.totalImages, got neither: give one of them', {
      path: ['imagesPerClass'],
    });
  }
  if (imagesPerClass !== undefined && totalImages !== undefined) {
    throw invalid(
      `expected one of recipe.imagesPerClass and recipe.totalImages, got ${imagesPerClass} and ${totalImages}: leave one of them out`,
      { path: ['totalImages'] },
    );
  }
  if (totalImages !== undefined && survey.mode === 'OFF') {
    throw invalid(
      'expected recipe.survey.mode AUTO or ON with recipe.totalImages, got OFF: the total is divided by what the survey measures; ' +
        'leave survey.mode out, or give imagesPerClass',
      { path: ['survey', 'mode'] },
    );
  }
}

/** SHA-256 of the canonical recipe. */
export function recipeDigest(of: object): string {
  return digestOf(of);
}

/** How many samples of a class of n the quantizer never sees: at least one sample stays for training. */
export function holdoutCount(n: number, holdout: number): number {
  return Math.min(Math.round(n * holdout), Math.max(0, n - 1));
}

export function asJson(of: object): JsonObject {
  return JSON.parse(JSON.stringify(of)) as JsonObject;
}
