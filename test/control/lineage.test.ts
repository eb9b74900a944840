import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCatalog } from '../../src/adapters/database/catalog.ts';
import { impactOf, lineageKey, lineagePage, lineageWalk } from '../../src/control/lineage.ts';
import { type LineageDirection, type LineageKey, type ProjectCatalog } from '../../src/control/ports.ts';
import { draw, type Drawing } from '../support/lineage.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let database: TestDatabase;
beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => (database = await postgres.database()));

let projects = 0;
async function drawn(
  of: Omit<Drawing, 'projectId'>,
): Promise<{ rows: ProjectCatalog; key: (name: string) => LineageKey }> {
  const projectId = `p${++projects}`;
  await draw(database.db, { projectId, ...of });
  const kinds = { r: 'RUN', v: 'DATASET_VERSION', p: 'PRIOR', a: 'ARTIFACT' } as const;
  const ids: Record<string, string> = { v: `${projectId} set any`, p: `${projectId} prior any` };
  return {
    rows: createCatalog(database.db, database.objects).project(projectId),
    key(name) {
      const kind = kinds[name[0] as keyof typeof kinds];
      return { kind, id: ids[name] ?? (kind === 'RUN' ? `${projectId} ${name}` : name) };
    },
  };
}

/** Artifacts a0.., runs r0.. over one version v and one prior p; cycles may be among the artifacts. */
const graph = fc
  .record({ artifacts: fc.integer({ min: 1, max: 7 }), runs: fc.integer({ min: 0, max: 3 }) })
  .chain(({ artifacts, runs }) => {
    const artifact = fc.integer({ min: 0, max: artifacts - 1 }).map((i) => `a${i}`);
    const some = fc.uniqueArray(artifact, { maxLength: 3 });
    const maker = runs === 0 ? fc.constant(null) : fc.option(fc.integer({ min: 0, max: runs - 1 }).map((i) => `r${i}`));
    return fc.record({
      artifacts: fc.array(fc.record({ inputs: some, maker }), { minLength: artifacts, maxLength: artifacts }),
      runs: fc.array(fc.record({ found: some, reads: some }), { minLength: runs, maxLength: runs }),
    });
  });

type Graph = typeof graph extends fc.Arbitrary<infer G> ? G : never;

/** [upstream, downstream] pairs, those of artifacts found apart: nothing that was made before lies upstream because of them. */
function edgesOf({ artifacts, runs }: Graph): { both: [string, string][]; found: [string, string][] } {
  const both: [string, string][] = [['p', 'any']];
  const found: [string, string][] = [];
  artifacts.forEach(({ inputs, maker }, i) => {
    for (const input of inputs) both.push([input, `a${i}`]);
    if (maker) both.push([maker, `a${i}`]);
  });
  runs.forEach((run, i) => {
    both.push(['v', `r${i}`], ['p', `r${i}`]);
    for (const read of run.reads) both.push([read, `r${i}`]);
    for (const artifact of run.found) found.push([`r${i}`, artifact]);
  });
  return { both, found };
}

const drawingOf = ({ artifacts, runs }: Graph): Omit<Drawing, 'projectId'> => ({
  artifacts: artifacts.map(({ inputs, maker }, i) => ({
    ...{ id: `a${i}`, kind: 'latents', inputs, madeDaysAgo: 1 },
    ...(maker && { madeBy: maker }),
  })),
  runs: runs.map(({ found, reads }, i) => {
    const made = artifacts.flatMap(({ maker }, a) => (maker === `r${i}` ? [`a${a}`] : []));
    return {
      ...{ id: `r${i}`, dataset: 'set', state: 'SUCCEEDED' as const, endedDaysAgo: 1, reads },
      uses: [...new Set([...found, ...made])],
    };
  }),
});

function distances(from: string, edges: readonly [string, string][]): Map<string, number> {
  const away = new Map([[from, 0]]);
  for (const name of away.keys()) {
    for (const [a, b] of edges) if (a === name && !away.has(b)) away.set(b, away.get(name)! + 1);
  }
  return away;
}

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of of) found.push(one);
  return found;
}

describe('a walk', () => {
  it('meets each node once, at its distance, either way, cycles and all; its pages are the walk', async () => {
    await fc.assert(
      fc.asyncProperty(
        graph,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        async (of, depth, first) => {
          const { rows, key } = await drawn(drawingOf(of));
          const { both, found } = edgesOf(of);
          const ways: [LineageDirection, [string, string][]][] = [
            ['UPSTREAM', both.map(([a, b]) => [b, a])],
            ['DOWNSTREAM', [...both, ...found]],
          ];
          const starts = ['a0', ...(of.runs.length > 0 ? ['r0', 'v', 'p'] : [])];
          for (const start of starts) {
            for (const [direction, edges] of ways) {
              const request = { from: key(start), direction, depth };
              const walked = await all(lineageWalk(rows, request));
              const expected = [...distances(start, edges)].filter(([name, away]) => name !== start && away <= depth);
              const asText = walked.map((node) => `${node.depth} ${lineageKey(node)}`);
              expect([...asText].sort()).toEqual(
                expected.map(([name, away]) => `${away} ${lineageKey(key(name))}`).sort(),
              );
              expect(walked.map((node) => node.depth)).toEqual(walked.map((node) => node.depth).sort());

              const paged = [];
              for (let after: string | null = null, more = true; more;) {
                const page = await lineagePage(rows, request, { first, after });
                paged.push(...page.items);
                expect(page.items.length).toBeLessThanOrEqual(first);
                more = page.hasMore;
                after = page.items.length > 0 ? lineageKey(page.items.at(-1)!) : null;
              }
              expect(paged).toEqual(walked);
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it('reads a node with thousands of neighbours in pieces, and leaves none out', async () => {
    const names = Array.from({ length: 1300 }, (_, i) => `a${i}`);
    const { rows, key } = await drawn({
      artifacts: [
        { id: 'a', kind: 'latents', inputs: [], madeDaysAgo: 1 },
        ...names.map((id) => ({ id, kind: 'codebook', inputs: ['a'], madeDaysAgo: 1 })),
        { id: 'az', kind: 'report', inputs: names, madeDaysAgo: 1 },
      ],
    });
    const down = await all(lineageWalk(rows, { from: key('a'), direction: 'DOWNSTREAM', depth: 3 }));
    expect(
      down
        .filter(({ depth }) => depth === 1)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...names].sort());
    expect(down.at(-1)).toEqual({ kind: 'ARTIFACT', id: 'az', depth: 2 });
    const up = await all(lineageWalk(rows, { from: key('az'), direction: 'UPSTREAM', depth: 1 }));
    expect(up).toHaveLength(1300);
  });

  it('stays in its project', async () => {
    const one = await drawn({ artifacts: [{ id: 'a0', kind: 'latents', inputs: ['a1'], madeDaysAgo: 1 }] });
    await drawn({ artifacts: [{ id: 'a2', kind: 'latents', inputs: ['a0'], madeDaysAgo: 1 }] });
    const request = { from: one.key('a0'), direction: 'DOWNSTREAM' as const, depth: 9 };
    expect(await all(lineageWalk(one.rows, request))).toEqual([]);
  });

  it('refuses a depth and a cursor that it does not have', async () => {
    const { rows, key } = await drawn({ artifacts: [{ id: 'a0', kind: 'latents', inputs: [], madeDaysAgo: 1 }] });
    const from = key('a0');
    const ask = (depth: number, after: string | null) =>
      lineagePage(rows, { from, direction: 'UPSTREAM', depth }, { first: 1, after });
    await expect(ask(0, null)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: ['depth'] } });
    await expect(ask(101, null)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: ['depth'] } });
    await expect(ask(1, 'RUN:none')).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: ['after'] } });
  });
});

it('the impact of a version is what its runs made and found, down to synthetic datasets', async () => {
  const artifact = (id: string, kind: string, inputs: string[], madeBy?: string) => ({
    ...{ id, kind, inputs, madeDaysAgo: 1 },
    ...(madeBy && { madeBy }),
  });
  const { rows } = await drawn({
    artifacts: [
      artifact('images', 'datasetVersion', []),
      artifact('other images', 'datasetVersion', []),
      artifact('latents', 'latents', ['other images'], 'earlier'),
      artifact('dataset', 'syntheticDataset', ['latents'], 'run'),
      artifact('unrelated', 'syntheticDataset', ['other images'], 'earlier'),
    ],
    versions: [{ dataset: 'set', number: 1, importedDaysAgo: 1, artifact: 'images' }],
    runs: [
      { id: 'earlier', dataset: 'old', state: 'SUCCEEDED', endedDaysAgo: 1, uses: ['latents', 'unrelated'] },
      { id: 'run', dataset: 'set', state: 'SUCCEEDED', endedDaysAgo: 1, uses: ['latents', 'dataset'] },
    ],
  });
  const of = (version: string) => impactOf(rows, `p${projects} ${version}`);
  const dataset = { id: 'dataset' };
  expect(await of('set any')).toMatchObject({ runs: 1, artifacts: 2, syntheticDatasets: [dataset], complete: true });
  expect(await of('set 1')).toMatchObject({ runs: 0, artifacts: 1, syntheticDatasets: [] });
  expect(await of('old any')).toMatchObject({
    ...{ runs: 1, artifacts: 3 },
    syntheticDatasets: [{ id: 'unrelated' }, dataset].sort((a, b) => (a.id < b.id ? 1 : -1)),
  });
});
