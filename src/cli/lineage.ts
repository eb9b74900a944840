import { type Command } from 'commander';
import { type ApiClient } from './client.ts';
import { onService, whole, withUrl } from './options.ts';
import { count, table } from './table.ts';

/** `lineage` and `impact`: what things were made from, and what was made from them. */
export function addLineage(program: Command, host: Parameters<typeof onService>[0]): void {
  withUrl(
    program
      .command('lineage')
      .description('What an artifact, run, prior or dataset version was made from, nearest first.')
      .argument('<id>')
      .option('--down', 'what was made from it instead')
      .option('--depth <steps>', 'steps at most', whole(1, 100), 10)
      .option('--first <number>', 'nodes at most', whole(1, 500), 100),
  ).action((id: string, { url, ...asked }: LineageOptions & { url?: string }) =>
    onService(host, url, (client) => showLineage(client, id, asked)),
  );
  withUrl(
    program
      .command('impact')
      .description(
        'What was made from a dataset version, down to the synthetic datasets and the aliases that stand for them.',
      )
      .argument('<dataset-version>'),
  ).action((id: string, options: { url?: string }) => onService(host, options.url, (client) => showImpact(client, id)));
}

interface LineageOptions {
  down?: boolean;
  depth: number;
  first: number;
}

interface LineageNode {
  kind: string;
  id: string;
  depth: number;
  /** Of whichever type it is. */
  node: Record<string, string | number | null> | null;
}

export async function showLineage(
  client: ApiClient,
  id: string,
  { down, depth, first }: LineageOptions,
): Promise<void> {
  const { lineage } = await client.send<{ lineage: { nodes: LineageNode[]; pageInfo: { hasNextPage: boolean } } }>(
    'Lineage',
    { node: id, direction: down ? 'DOWNSTREAM' : 'UPSTREAM', depth, first },
  );
  if (lineage.nodes.length === 0) {
    return console.log(down ? `Nothing was made from ${id}.` : `${id} was made from nothing that is recorded.`);
  }
  const rows = lineage.nodes.map((node) => [
    `${'  '.repeat(node.depth - 1)}${node.kind.toLowerCase().replace('_', ' ')}`,
    node.id,
    described(node),
  ]);
  console.log(table(['what', 'id', ''], rows));
  if (lineage.pageInfo.hasNextPage) console.log(`The ${count(rows.length)} nearest; --first and --depth show more.`);
}

function described({ node }: LineageNode): string {
  if (!node) return '';
  const { kind, title, state, runState, number, images, name, version, upstreamName, upstreamVersion } = node;
  if (title !== undefined) return [kind, title, state === 'DELETED' ? 'deleted' : ''].filter(Boolean).join('  ');
  if (runState !== undefined) return String(runState);
  if (number !== undefined) return `version ${number}${typeof images === 'number' ? `, ${count(images)} images` : ''}`;
  if (upstreamName !== undefined) return `${upstreamName} ${upstreamVersion ?? ''}`.trim();
  return [name, version].filter(Boolean).join(' ');
}

interface Impact {
  datasetVersion: { id: string; number: number | null };
  runs: number;
  artifacts: number;
  complete: boolean;
  aliases: { alias: string; number: number }[];
  syntheticDatasets: { id: string; title: string; state: string; createdAt: string }[];
}

export async function showImpact(client: ApiClient, datasetVersionId: string): Promise<void> {
  const { impact } = await client.send<{ impact: Impact }>('Impact', { datasetVersionId });
  const { runs, artifacts, complete, aliases, syntheticDatasets } = impact;
  const least = complete ? '' : 'at least ';
  console.log(`${least}${count(runs)} runs read it, ${least}${count(artifacts)} artifacts were made from it.`);
  if (aliases.length > 0) {
    console.log(`In use as ${aliases.map(({ alias, number }) => `${alias} (version ${number})`).join(', ')}.`);
  }
  if (syntheticDatasets.length === 0) return console.log('No synthetic dataset was made from it.');
  const rows = syntheticDatasets.map(({ id, state, createdAt }) => [
    id,
    state === 'DELETED' ? 'deleted' : '',
    createdAt,
  ]);
  console.log(table(['synthetic dataset', '', 'made'], rows));
}
