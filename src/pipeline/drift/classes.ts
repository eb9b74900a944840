import { type Published } from '../../engine/ports.ts';
import { readManifest } from '../artifacts.ts';
import { datasetContent } from '../dataset/version.ts';
import { type PlanContext } from '../stage.ts';
import { type DriftRecipe, FEWEST } from './recipe.ts';
import { referenceClasses } from './reference.ts';

/* What the stages of a drift run tell each other of a class. */

/** What is known of a class once it is sampled. A type, so that it is a JsonObject. */
export type SampledClass = {
  className: string;
  /** In the version that is asked about. */
  label: number;
  images: number;
  /** Images that the reference does not have, and those that it has. */
  fresh: number;
  kept: number;
  /** Images of the reference that the version does not have any more. */
  removed: number;
  /** Held-out samples that new images are compared with. */
  heldoutN: number;
  /** Images that are looked at, and a digest of theirs. */
  sampled: number;
  sample: string;
};

export const sampledClass = ({ manifest }: Published): SampledClass => manifest.content as SampledClass;

/** Whether there is enough to compare. */
export const isTestable = ({ sampled, heldoutN }: SampledClass): boolean => sampled >= FEWEST && heldoutN >= FEWEST;

/** What the two statistics say of a class. A type, so that it is a JsonObject. */
export type TestedClass = {
  className: string;
  label: number;
  k: number;
  /** Held-out samples, and new images. */
  referenceN: number;
  n: number;
  /** Null where nothing can be said: all distances are the same, or there is but one group of cells. */
  distances: { pValue: number; z: number } | null;
  masses: { pValue: number; statistic: number; degrees: number } | null;
  /** Mean distance to the nearest point, in latent units: of the held-out samples, and of the new images. */
  referenceDistance: number;
  distance: number;
  /** The second over the first; 1 where both are 0. */
  distanceRatio: number;
  /** Total variation of the cell masses, and what chance makes of it on average. */
  totalVariation: number;
  expectedVariation: number;
  /** What is above that, 0 at least. */
  massChange: number;
  /** At these shares of the samples: distances up to which they reach. */
  quantiles: { shares: number[]; reference: number[]; sample: number[] };
};

export interface ChangedClass {
  className: string;
  images: number;
}

/** Classes of the version, and of the reference, that the other does not have, with how many images they have where they are. */
export async function changedClasses({ recipe, inputs, projectId, store }: PlanContext<DriftRecipe>): Promise<{
  newClasses: ChangedClass[];
  vanishedClasses: ChangedClass[];
}> {
  const wanted = ({ className }: ChangedClass) => recipe.classes?.includes(className) ?? true;
  const { classes } = datasetContent(await readManifest(store, projectId, inputs['datasetVersion']!));
  const there = classes.filter(({ images }) => images > 0).map(({ name, images }) => ({ className: name, images }));
  const before = await referenceClasses(store, projectId, inputs['reference']!);
  const without = (some: readonly ChangedClass[], others: readonly { className: string }[]) => {
    const names = new Set(others.map(({ className }) => className));
    return some.filter((one) => wanted(one) && !names.has(one.className));
  };
  return {
    newClasses: without(there, before),
    vanishedClasses: without(
      before.map(({ className, n }) => ({ className, images: n })),
      there,
    ),
  };
}
