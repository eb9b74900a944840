import { z } from 'zod';
import { checkedBy, execution, tolerances } from '../recipe-parts.ts';
import { parseRecipe, type Recipe } from '../recipe.ts';

/** Fewer new images of a class, or held-out ones, are told and not tested: chi-square does not describe what so few do. */
export const FEWEST = 20;
/** What an encode task holds. */
const MOST = 4096;

/** How large a change has to be before it counts, however certain it is. Of huge samples the smallest difference is certain. */
const minEffect = z
  .strictObject({
    /** Of the mean distance, as a fraction of what it was: 0.05 lets 5% pass, either way. */
    distance: z.number().min(0).max(1000).default(0),
    /** Of the mass that lies in other cells, beyond what chance makes of it: 0 to 1. */
    mass: z.number().min(0).max(1).default(0),
  })
  .prefault({});

/** Everything a drift run is asked to do: whether the images of a version are like those that a run distilled. */
const driftRecipe = z.strictObject({
  kind: z.literal('DRIFT'),
  /** The version that is asked about. */
  datasetVersionId: z.string().min(1),
  /** What it is compared with: an alias, a run that distilled, or the synthetic dataset that it made. */
  against: z.string().min(1).max(200),
  /** The run that `against` stood for when this was launched: filled in then. */
  referenceRunId: z.string().min(1).optional(),
  /** Class names to look at; absent: those that the reference run was asked for, be that all. */
  classes: z.array(z.string().min(1)).min(1).optional(),
  /** New images of each class that are looked at, where it has so many. */
  samplesPerClass: z.int().min(FEWEST).max(MOST).default(500),
  seed: z.int().min(0).max(0xffffffff).default(0),
  /** How probable an alarm may be where nothing has changed. */
  alpha: z.number().gt(0).max(0.5).default(0.05),
  /** Over all classes and both statistics, see numerics/statistics/correction.ts. */
  correction: z.enum(['HOLM', 'BENJAMINI_HOCHBERG', 'NONE']).default('HOLM'),
  minEffect,
  /** Whether classes that came or went are drift: no test finds what nobody distilled, and it is the greatest change of all. */
  classChanges: z.enum(['DRIFT', 'IGNORE']).default('DRIFT'),
  tolerances,
  execution,
});

export type DriftRecipe = z.infer<typeof driftRecipe>;
/** Of either kind of run. One without a kind distils. */
export type AnyRecipe = Recipe | DriftRecipe;

export const isDrift = (recipe: object): recipe is DriftRecipe => (recipe as { kind?: unknown }).kind === 'DRIFT';

/**
 * Validates and completes a recipe of whichever kind.
 * @throws INVALID_INPUT naming the field, what was expected and what was received
 */
export function parseAnyRecipe(input: unknown): AnyRecipe {
  const drift = typeof input === 'object' && input !== null && isDrift(input);
  return drift ? checkedBy(driftRecipe, input) : parseRecipe(input);
}
