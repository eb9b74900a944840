import { notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { type RunReport, runSummary } from './summary.ts';
import { dollars, table } from './table.ts';

export async function listRuns(client: ApiClient): Promise<void> {
  const { runs } = await client.send<{ runs: { nodes: RunRow[] } }>('Runs', { first: 20 });
  if (runs.nodes.length === 0) return console.log('No runs yet.');
  const rows = runs.nodes.map((run) => [run.id, run.state, run.createdAt, dollars(run.costUsd)]);
  console.log(table(['run', 'state', 'launched', 'cost'], rows));
}

interface RunRow {
  id: string;
  state: string;
  createdAt: string;
  costUsd: number;
}

export async function showRun(client: ApiClient, id: string): Promise<void> {
  const { run } = await client.send<{ run: RunReport | null }>('Run', { id, urls: false });
  if (!run) throw notFound('run', id);
  console.log(`${run.id}  ${run.state}${run.failure ? `  ${run.failure.message}` : ''}\n\n${runSummary(run)}`);
  const gone = run.outputs.filter(({ state }) => state === 'DELETED').map(({ kind }) => PRODUCTS[kind] ?? kind);
  if (gone.length > 0) {
    console.log(`\nDeleted by the retention policy: ${gone.join(', ')}. The same recipe makes them again.`);
  }
}

const PRODUCTS: Record<string, string> = { syntheticDataset: 'the synthetic dataset', report: 'the report' };

export async function cancelRun(client: ApiClient, id: string): Promise<void> {
  const { cancelRun: answer } = await client.send<{ cancelRun: Refusal & { run: { state: string } } }>('CancelRun', {
    id,
  });
  refuse(answer);
  console.log(`${id}  ${answer.run.state}`);
}
