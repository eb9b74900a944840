import { corrected } from '../../numerics/statistics/correction.ts';
import { type ChangedClass, type SampledClass, type TestedClass } from './classes.ts';
import { type DriftRecipe } from './recipe.ts';

/**
 * How a class fares. A type, so that it is a JsonObject.
 * - TESTED: its new images were compared with its held-out ones.
 * - UNCHANGED: it has no new image.
 * - TOO_FEW: new images, or held-out ones, are fewer than can be compared.
 * - NEW: the reference does not have it. VANISHED: the version does not.
 */
export type ClassState = 'TESTED' | 'UNCHANGED' | 'TOO_FEW' | 'NEW' | 'VANISHED';

/** Null is what does not apply, or could not be said. Distances are in latent units. A type, so that it is a JsonObject. */
export type ClassDrift = {
  className: string;
  state: ClassState;
  /** Whether this class alone would be an alarm. */
  drifted: boolean;
  /** In the version; new ones among them, and those that the reference had; those of the reference that are gone. */
  images: number;
  fresh: number;
  kept: number;
  removed: number;
  /** New images that were compared, and held-out samples that they were compared with. */
  sampled: number;
  referenceN: number;
  k: number | null;
  /** Of the distances: by chance alone so much or more, of this test and after the correction for all. */
  distancePValue: number | null;
  distancePValueCorrected: number | null;
  /** Standard deviations that the new distances are longer (or shorter, below 0) than chance would have them. */
  distanceZ: number | null;
  referenceDistance: number | null;
  distance: number | null;
  distanceRatio: number | null;
  /** The same of the masses of the cells. */
  massPValue: number | null;
  massPValueCorrected: number | null;
  totalVariation: number | null;
  expectedVariation: number | null;
  massChange: number | null;
};

/** Of the whole version. A type, so that it is a JsonObject. */
export type OverallDrift = {
  /** Whether it is drift. */
  alarm: boolean;
  classes: number;
  classesTested: number;
  classesDrifted: number;
  newClasses: number;
  vanishedClasses: number;
  /** New images of all classes, and those that were compared. */
  fresh: number;
  sampled: number;
  /** The least of all, after the correction. Null where nothing was tested. */
  minPValue: number | null;
  maxDistanceRatio: number | null;
  minDistanceRatio: number | null;
  maxMassChange: number | null;
};

export interface Verdict {
  overall: OverallDrift;
  classes: ClassDrift[];
}

export type VerdictOptions = Pick<DriftRecipe, 'alpha' | 'correction' | 'minEffect' | 'classChanges'>;

/**
 * What the tests of all classes say together: each p-value is corrected for all others, of either statistic, and a class has drifted where one of its
 * own is at most alpha and the change is as large as was asked for. One such class is an alarm; so is one that came or went, unless that is ignored.
 *
 * @param found in the order of the reference's classes
 */
export function verdictOf(
  found: readonly { sampled: SampledClass; tested: TestedClass | null }[],
  changed: { newClasses: readonly ChangedClass[]; vanishedClasses: readonly ChangedClass[] },
  options: VerdictOptions,
): Verdict {
  const pValues = found.flatMap(({ tested }) => [tested?.distances?.pValue, tested?.masses?.pValue]);
  const told = pValues.filter((p) => p !== undefined);
  const all = corrected(told, options.correction).values();
  const [distances, masses] = [new Map<TestedClass, number>(), new Map<TestedClass, number>()];
  for (const { tested } of found) {
    if (tested?.distances) distances.set(tested, all.next().value!);
    if (tested?.masses) masses.set(tested, all.next().value!);
  }
  const classes = [
    ...found.map(({ sampled, tested }) =>
      tested ? testedClass(sampled, tested, distances.get(tested), masses.get(tested), options) : untested(sampled),
    ),
    ...changed.newClasses.map((one) => changedClass(one, 'NEW', options)),
    ...changed.vanishedClasses.map((one) => changedClass(one, 'VANISHED', options)),
  ];
  return { overall: overallOf(classes), classes };
}

function testedClass(
  sampled: SampledClass,
  tested: TestedClass,
  distance: number | undefined,
  mass: number | undefined,
  { alpha, minEffect }: VerdictOptions,
): ClassDrift {
  const { distanceRatio, massChange } = tested;
  const moved = (distance ?? 1) <= alpha && Math.abs(distanceRatio - 1) >= minEffect.distance;
  const mixed = (mass ?? 1) <= alpha && massChange >= minEffect.mass;
  return {
    ...countsOf(sampled),
    ...{ state: 'TESTED', drifted: moved || mixed, sampled: tested.n, referenceN: tested.referenceN, k: tested.k },
    distancePValue: tested.distances?.pValue ?? null,
    distancePValueCorrected: distance ?? null,
    distanceZ: tested.distances?.z ?? null,
    ...{ referenceDistance: tested.referenceDistance, distance: tested.distance, distanceRatio },
    massPValue: tested.masses?.pValue ?? null,
    massPValueCorrected: mass ?? null,
    ...{ totalVariation: tested.totalVariation, expectedVariation: tested.expectedVariation, massChange },
  };
}

const NOTHING = {
  ...{ k: null, distancePValue: null, distancePValueCorrected: null, distanceZ: null },
  ...{ referenceDistance: null, distance: null, distanceRatio: null, massPValue: null, massPValueCorrected: null },
  ...{ totalVariation: null, expectedVariation: null, massChange: null },
};

function countsOf({ className, images, fresh, kept, removed, heldoutN }: SampledClass) {
  return { className, images, fresh, kept, removed, referenceN: heldoutN };
}

function untested(of: SampledClass): ClassDrift {
  const state = of.fresh === 0 ? 'UNCHANGED' : 'TOO_FEW';
  return { ...countsOf(of), ...NOTHING, state, drifted: false, sampled: 0 };
}

function changedClass(
  { className, images }: ChangedClass,
  state: 'NEW' | 'VANISHED',
  { classChanges }: VerdictOptions,
): ClassDrift {
  const [now, before] = state === 'NEW' ? [images, 0] : [0, images];
  return {
    ...{ className, state, drifted: classChanges === 'DRIFT', images: now, fresh: now, kept: 0, removed: before },
    ...{ ...NOTHING, sampled: 0, referenceN: 0 },
  };
}

function overallOf(classes: readonly ClassDrift[]): OverallDrift {
  const count = (of: (one: ClassDrift) => boolean) => classes.filter(of).length;
  const values = (...names: (keyof ClassDrift)[]) =>
    classes.flatMap((one) => names.map((name) => one[name]).filter((value) => typeof value === 'number'));
  const extreme = (pick: (...of: number[]) => number, of: readonly number[]) =>
    of.length > 0 ? of.reduce((a, b) => pick(a, b)) : null;
  return {
    alarm: classes.some(({ drifted }) => drifted),
    classes: classes.length,
    classesTested: count(({ state }) => state === 'TESTED'),
    classesDrifted: count(({ state, drifted }) => state === 'TESTED' && drifted),
    newClasses: count(({ state }) => state === 'NEW'),
    vanishedClasses: count(({ state }) => state === 'VANISHED'),
    fresh: values('fresh').reduce((a, b) => a + b, 0),
    sampled: values('sampled').reduce((a, b) => a + b, 0),
    minPValue: extreme(Math.min, values('distancePValueCorrected', 'massPValueCorrected')),
    maxDistanceRatio: extreme(Math.max, values('distanceRatio')),
    minDistanceRatio: extreme(Math.min, values('distanceRatio')),
    maxMassChange: extreme(Math.max, values('massChange')),
  };
}

/** As tasks and runs tell figures: numbers by name. */
export function driftMetrics({
  alarm,
  classesDrifted,
  newClasses,
  vanishedClasses,
  minPValue,
}: OverallDrift): Record<string, number> {
  return {
    ...{ driftAlarm: alarm ? 1 : 0, driftedClasses: classesDrifted, newClasses, vanishedClasses },
    ...(minPValue !== null && { minPValue }),
  };
}
