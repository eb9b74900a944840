import { randomUUID } from 'node:crypto';
import { notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { type RunReport, runSummary } from './summary.ts';
import { dollars, table } from './table.ts';

export async function listRuns(client: ApiClient): Promise<void> {
  const { runs } = await client.send<{ runs: { nodes: RunRow[] } }>('Runs', { first: 20 });
  if (runs.nodes.length === 0) return console.log('No runs yet.');
  const rows = runs.nodes.map((run) => [run.id, run.kind, run.state, run.createdAt, dollars(run.costUsd)]);
  console.log(table(['run', 'kind', 'state', 'launched', 'cost'], rows));
}

interface RunRow {
  id: string;
  kind: string;
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

const PRODUCTS: Record<string, string> = {
  syntheticDataset: 'the synthetic dataset',
  report: 'the report',
  driftReport: 'the drift report',
};

/** What a run's tasks are and why each was, or was not, carried out; attempts that failed with their reasons. */
export async function showTasks(client: ApiClient, id: string): Promise<void> {
  const { run } = await client.send<{ run: { stages: StageTasks[] } | null }>('RunTasks', { id, first: 100 });
  if (!run) throw notFound('run', id);
  for (const { name, state, tasks } of run.stages) {
    console.log(`${name}  ${state}`);
    for (const task of tasks.nodes) {
      const cache = task.cache === 'HIT' ? 'reused' : task.cacheReason ? `carried out again: ${task.cacheReason}` : '';
      console.log(`  ${task.title}  ${task.state}${cache ? `  ${cache}` : ''}`);
      for (const { number, failure } of task.attempts) {
        if (!failure) continue;
        console.log(`    attempt ${number}: ${failure.code}: ${failure.message}`);
        for (const line of failure.lastLogLines.slice(-5)) console.log(`      ${line}`);
      }
    }
    if (tasks.pageInfo.hasNextPage) console.log('  ... more than 100; ask the API for the others');
  }
}

interface StageTasks {
  name: string;
  state: string;
  tasks: {
    nodes: {
      title: string;
      state: string;
      cache: string | null;
      cacheReason: string | null;
      attempts: { number: number; failure: { code: string; message: string; lastLogLines: string[] } | null }[];
    }[];
    pageInfo: { hasNextPage: boolean };
  };
}

/** @returns id of the new run */
export async function retryRun(client: ApiClient, runId: string, fromStage: string | null): Promise<string> {
  const { retryRun: answer } = await client.send<{ retryRun: Refusal & { run: { id: string } } }>('RetryRun', {
    input: { runId, fromStage, idempotencyKey: randomUUID() },
  });
  refuse(answer);
  return answer.run.id;
}

export async function cancelRun(client: ApiClient, id: string): Promise<void> {
  const { cancelRun: answer } = await client.send<{ cancelRun: Refusal & { run: { state: string } } }>('CancelRun', {
    id,
  });
  refuse(answer);
  console.log(`${id}  ${answer.run.state}`);
}
