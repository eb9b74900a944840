import { type JsonObject } from '../../base/json.ts';
import { driftOfRuns } from '../drift.ts';
import { type ProjectCatalog } from '../ports.ts';
import { type TriggerSource } from './rows.ts';

/** The run that measures a new version against what an alias or a run stands for. */
export function driftRecipe({ against, samplesPerClass }: TriggerSource, datasetVersionId: string): JsonObject {
  return { kind: 'DRIFT', datasetVersionId, against, ...(samplesPerClass !== null && { samplesPerClass }) };
}

/** Facts of what it found; null until it has. */
export async function driftFacts(
  rows: Pick<ProjectCatalog, 'artifactsByRun'>,
  runId: string,
): Promise<JsonObject | null> {
  const figures = (await driftOfRuns(rows, [runId])).get(runId);
  return figures ? { ...figures.overall, runId } : null;
}
