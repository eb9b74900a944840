import { type ClassDrift, type OverallDrift } from '../pipeline/drift/verdict.ts';
import { type ProjectCatalog } from './ports.ts';
import { type ArtifactView } from './views.ts';

export type { ClassDrift, ClassState, OverallDrift } from '../pipeline/drift/verdict.ts';
export { isDrift } from '../pipeline/drift/recipe.ts';
export { driftMetrics } from '../pipeline/drift/verdict.ts';

/** What a drift run found. */
export interface DriftFigures {
  overall: OverallDrift;
  /** The classes of the reference, then those that are new, then those that are gone. */
  classes: ClassDrift[];
}

/** What the last stage of a drift run publishes. */
export const DRIFT_REPORT = 'driftReport';

/** @param artifact of kind `DRIFT_REPORT` */
export function driftFigures({ manifest }: ArtifactView): DriftFigures {
  const { overall, classes } = manifest.content as unknown as DriftFigures;
  return { overall, classes };
}

/** By run; one that is no drift run, or has not come to its end, is left out. */
export async function driftOfRuns(
  rows: Pick<ProjectCatalog, 'artifactsByRun'>,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, DriftFigures>> {
  const found = await rows.artifactsByRun(runIds, 'OUTPUT', [DRIFT_REPORT]);
  return new Map(found.map(({ runId, artifact }) => [runId, driftFigures(artifact)]));
}
