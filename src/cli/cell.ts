import { invalid, notFound } from '../base/errors.ts';
import { type ApiClient } from './client.ts';
import { type RunReport } from './summary.ts';
import { count, percent, table } from './table.ts';

interface Cell {
  className: string;
  point: number;
  weight: number;
  count: number;
  distortionShare: number;
  datasetVersion: { number: number; dataset: { name: string } } | null;
  members: {
    nodes: {
      sha256: string;
      squaredDistance: number;
      image: { path: string; file: string; offset: number | null; row: number | null } | null;
    }[];
    pageInfo: { hasNextPage: boolean };
  };
}

/** The real images behind a synthetic one of a run, the nearest first. */
export async function showCell(
  client: ApiClient,
  runId: string,
  { className, point, first }: { className: string; point: number; first: number },
): Promise<void> {
  const { run } = await client.send<{ run: RunReport | null }>('Run', { id: runId, urls: false });
  if (!run) throw notFound('run', runId);
  const artifact = run.outputs.find(({ kind }) => kind === 'syntheticDataset');
  if (!artifact)
    throw invalid(`expected a run that has succeeded, got ${runId}, which is ${run.state}: wait until it has`);
  const { cell } = await client.send<{ cell: Cell }>('Cell', { artifactId: artifact.id, className, point, first });
  const version = cell.datasetVersion;
  const of = version ? ` of ${version.dataset.name}, version ${version.number}` : '';
  console.log(
    `Point ${cell.point} of ${cell.className} stands for ${count(cell.count)} images${of}: ${percent(cell.weight)} of the ` +
      `class, and ${percent(cell.distortionShare)} of its distortion.\n`,
  );
  const rows = cell.members.nodes.map(({ sha256, squaredDistance, image }) => [
    image?.path ?? 'not in this version',
    squaredDistance.toFixed(4),
    sha256.slice(0, 12),
  ]);
  console.log(table(['image', 'squared distance', 'sha256'], rows));
  if (cell.members.pageInfo.hasNextPage)
    console.log(`The ${rows.length} nearest of ${count(cell.count)}; --first shows more.`);
}
