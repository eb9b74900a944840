/** Lineage and lists as a client sees them: GraphQL over HTTP from the compiled service, over tables as large as those of years. */
import { sql } from 'kysely';
import { startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import { seedProject, startTestPostgres } from '../support/postgres.ts';
import { type Bench, type BenchCase } from './bench.ts';
import { artifactOf, EDGES_PER_ARTIFACT, fillLineage, fillRuns, runOf } from './lineage/rows.ts';
import { medianInterval, timeMs } from './measure.ts';

const EDGES = 10_000_000;
const RUNS = 1_000_000;
const STARTS = 60;
const TURNS = 25;
const PROJECT = 'default';

const WALKS = ['UPSTREAM', 'DOWNSTREAM'] as const;
const walkCase = (direction: string) => `100 nodes of depth 5, ${direction.toLowerCase()}, of 10 million edges`;
const PLACES = { first: RUNS, middle: RUNS / 2, last: 60 };
const pageCase = (place: string) => `50 of 1 million runs, the ${place} page`;

export const bench: Bench = {
  about: 'lineage over 10 million edges, pages of a million runs',
  async *cases(wanted) {
    const walks = WALKS.filter((direction) => wanted(walkCase(direction)));
    const places = Object.entries(PLACES).filter(([place]) => wanted(pageCase(place)));
    if (walks.length + places.length === 0) return;
    const postgres = await startTestPostgres();
    try {
      const { db, url } = await postgres.database();
      const refers = await seedProject(db, PROJECT);
      const artifacts = Math.ceil(EDGES / EDGES_PER_ARTIFACT);
      if (walks.length > 0) await fillLineage(db, PROJECT, artifacts);
      if (places.length > 0) await fillRuns(db, refers, RUNS);
      const edges = Number((await sql<{ n: string }>`select count(*) n from artifact_inputs`.execute(db)).rows[0]!.n);
      yield* await withTemporaryFolder(async (folder) => {
        const service = await startServiceProcess(folder, { DATABASE_URL: url });
        const ask = askOf(`${service.url}/graphql`);
        const cases: BenchCase[] = [];
        for (const direction of walks) {
          // Upstream of what came late and downstream of what came early lies most.
          const numbers = Array.from({ length: STARTS }, (_, i) =>
            direction === 'UPSTREAM' ? artifacts - 1 - 37 * i : 1000 + 37 * i,
          );
          const nodes = await Promise.all(numbers.map((number) => artifactOf(db, number)));
          cases.push({ ...(await walkOf(ask, direction, nodes)), edges });
        }
        for (const [place, number] of places) cases.push(await pageOf(ask, place, number));
        await service.end();
        return cases;
      });
    } finally {
      await postgres.stop();
    }
  },
};

type Ask = (query: string, variables: object) => Promise<Record<string, { nodes: unknown[] }>>;

function askOf(url: string): Ask {
  return async (query, variables) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = (await answer.json()) as { data: Awaited<ReturnType<Ask>>; errors?: unknown };
    if (errors) throw new Error(`expected an answer, got ${JSON.stringify(errors)}`);
    return data;
  };
}

/** A new node each time: what was asked for before lies in memory. */
async function walkOf(ask: Ask, direction: string, nodes: readonly string[]): Promise<BenchCase> {
  const query = `query($node: ID!, $direction: LineageDirection!) {
    lineage(node: $node, direction: $direction, depth: 5, first: 100) { nodes { kind id depth node { ... on Artifact { title } } } }
  }`;
  const found: number[] = [];
  const times: number[] = [];
  for (const node of nodes) {
    const walk = async () => found.push((await ask(query, { node, direction }))['lineage']!.nodes.length);
    times.push(await timeMs(walk));
  }
  const { median, low, high } = medianInterval(times);
  return {
    ...{ case: walkCase(direction), unit: 'ms', ours: median, peers: { limit: 50 }, target: 1, interval: [low, high] },
    ...{ walks: nodes.length, fewestNodes: Math.min(...found) },
  };
}

async function pageOf(ask: Ask, place: string, number: number): Promise<BenchCase> {
  const query = `query($after: String) { runs(first: 50, after: $after) { nodes { id state costUsd createdAt } } }`;
  const after = number === RUNS ? null : Buffer.from(`run:${runOf(number)}`).toString('base64url');
  const times: number[] = [];
  let rows = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    times.push(await timeMs(async () => (rows = (await ask(query, { after }))['runs']!.nodes.length)));
  }
  const { median, low, high } = medianInterval(times);
  return {
    ...{ case: pageCase(place), unit: 'ms', ours: median, peers: { limit: 20 }, target: 1, interval: [low, high] },
    ...{ runs: RUNS, rows },
  };
}
