import { expect, it } from 'vitest';
import { showImpact, showLineage } from '../../src/cli/lineage.ts';
import { answering, printed } from './support.ts';

const out = printed();
const shown = () => out.lines.slice(2).map((line) => line.trimEnd().replace(/(?<=\S) +/g, ' '));

it('shows what a thing was made from, deeper as it is farther away', async () => {
  const nodes = [
    { kind: 'RUN', id: 'r', depth: 1, node: { runState: 'SUCCEEDED', createdAt: 'then' } },
    { kind: 'DATASET_VERSION', id: 'v', depth: 2, node: { number: 3, images: 1200 } },
    { kind: 'PRIOR', id: 'p', depth: 2, node: { name: 'glyphs', version: '1.0.0' } },
    { kind: 'ARTIFACT', id: 'a', depth: 2, node: { kind: 'codebook', title: 'A', state: 'DELETED' } },
    { kind: 'UPSTREAM_VERSION', id: 'u', depth: 3, node: { upstreamName: 'raw', upstreamVersion: null } },
    { kind: 'ALIAS_VERSION', id: 'n', depth: 3, node: null },
  ];
  const client = answering({ Lineage: { lineage: { nodes, pageInfo: { hasNextPage: true } } } });
  await showLineage(client, 's', { depth: 4, first: 6 });
  expect(client.sent).toEqual([['Lineage', { node: 's', direction: 'UPSTREAM', depth: 4, first: 6 }]]);
  expect(shown()).toEqual([
    'run r SUCCEEDED',
    '  dataset version v version 3, 1,200 images',
    '  prior p glyphs 1.0.0',
    '  artifact a codebook A deleted',
    '    upstream version u raw',
    '    alias version n',
    'The 6 nearest; --first and --depth show more.',
  ]);
});

it('says so where there is nothing', async () => {
  const client = answering({ Lineage: { lineage: { nodes: [], pageInfo: { hasNextPage: false } } } });
  await showLineage(client, 's', { down: true, depth: 4, first: 6 });
  expect(out.lines).toEqual(['Nothing was made from s.']);
});

it('tells what hangs on a dataset version', async () => {
  const impact = {
    ...{ datasetVersion: { id: 'v', number: 1 }, runs: 1200, artifacts: 40, complete: false },
    aliases: [{ alias: 'production', number: 2 }],
    syntheticDatasets: [{ id: 's', title: 'glyphs', state: 'KEPT', createdAt: 'then' }],
  };
  await showImpact(answering({ Impact: { impact } }), 'v');
  expect(out.lines.slice(0, 2)).toEqual([
    'at least 1,200 runs read it, at least 40 artifacts were made from it.',
    'In use as production (version 2).',
  ]);
  expect(out.lines.at(-1)!.replace(/ +/g, ' ')).toBe('s then');
});
