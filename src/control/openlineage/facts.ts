import { PushforwardError } from '../../base/errors.ts';
import { artifactKey, blobKey } from '../../pipeline/artifacts.ts';
import { datasetContent, type DatasetVersionContent } from '../../pipeline/dataset/version.ts';
import { parseUploadUri, uploadFolder } from '../../pipeline/uploads.ts';
import { type ClassFigures, classFigures, FIGURE_STAGES } from '../figures.ts';
import { type Catalog } from '../ports.ts';
import { type ArtifactView, type DatasetVersionView, type PriorView, type RunView, type StageView } from '../views.ts';

/** What is told of a run, whatever happens to it. */
export interface RunFacts {
  projectId: string;
  run: RunView;
  dataset: string;
  version: DatasetVersionView;
  /** Of the version's manifest; null where the import kept none. */
  content: DatasetVersionContent | null;
  prior: PriorView;
  /** Where the version and the prior lie: a path, or `s3://bucket/key`. */
  versionPlace: string;
  priorPlace: string;
}

/** What is told of a run that ended. */
export interface RunResults {
  stages: StageView[];
  classes: ClassFigures[];
  /** The synthetic dataset, with the place of its table; null where it came to none. */
  synthetic: { artifact: ArtifactView; place: string } | null;
}

/** @param placeOf where an object of the store lies */
export async function runFacts(
  catalog: Catalog,
  placeOf: (key: string) => string,
  { projectId, runId }: { projectId: string; runId: string },
): Promise<RunFacts> {
  const rows = catalog.project(projectId);
  const [run] = await rows.runsById([runId]);
  const [[found], [prior]] = run
    ? await Promise.all([rows.datasetVersionsById([run.datasetVersionId]), rows.priorsById([run.priorId])])
    : [[], []];
  if (!run || !found || !prior) throw missing(runId);
  const { version } = found;
  const [[dataset], [stored]] = await Promise.all([
    rows.datasetsById([version.datasetId]),
    version.artifactId === null ? [] : rows.artifactsById([version.artifactId]),
  ]);
  const upload = parseUploadUri(version.source.path);
  const inStore = upload && (uploadFolder(projectId, upload.id) + upload.path).replace(/\/$/, '');
  return {
    ...{ projectId, run, prior, version },
    dataset: dataset?.name ?? version.datasetId,
    content: stored ? datasetContent(stored.manifest) : null,
    versionPlace: inStore === null ? version.source.path : placeOf(inStore),
    priorPlace: placeOf(artifactKey(projectId, prior.artifactId)),
  };
}

export async function runResults(
  catalog: Catalog,
  placeOf: (key: string) => string,
  { projectId, run }: RunFacts,
): Promise<RunResults> {
  const rows = catalog.project(projectId);
  const [stages, tasks, outputs] = await Promise.all([
    rows.stagesByRun([run.id]),
    rows.tasksByRun([run.id], FIGURE_STAGES),
    rows.artifactsByRun([run.id], 'OUTPUT', ['syntheticDataset']),
  ]);
  const artifact = outputs.at(-1)?.artifact;
  const table = artifact?.manifest.blobs[TABLE];
  return {
    stages,
    classes: classFigures(tasks),
    synthetic: artifact && table ? { artifact, place: placeOf(blobKey(projectId, table.sha256)) } : null,
  };
}

/** The file of a synthetic dataset that is trained from. */
export const TABLE = 'train.parquet';

function missing(runId: string): PushforwardError {
  return new PushforwardError(
    'INTERNAL',
    `expected run ${runId} with its dataset version and prior, got rows that lack one`,
  );
}
