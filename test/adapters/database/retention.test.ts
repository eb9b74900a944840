/** Which artifacts a policy keeps, against an oracle over random lineage; and decisions beside those who need artifacts. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertArtifacts } from '../../../src/adapters/database/artifact-writes.ts';
import { shareBytes } from '../../../src/adapters/database/project-lock.ts';
import { createRetentionStore } from '../../../src/adapters/database/retention.ts';
import { type RetentionPolicy, type RetentionStore } from '../../../src/control/ports.ts';
import {
  daysAgo,
  draw,
  type Drawing,
  drawnManifest,
  type DrawnArtifact,
  type DrawnRun,
  type DrawnVersion,
  NOW,
  statesOf,
} from '../../support/lineage.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
let database: TestDatabase;
let retention: RetentionStore;
beforeAll(async () => {
  postgres = await startTestPostgres();
  database = await postgres.database();
  retention = createRetentionStore(database);
}, 60_000);
afterAll(() => postgres?.stop());

const signal = new AbortController().signal;
let projects = 0;
const newProject = () => `project_${++projects}`;
const POLICY: RetentionPolicy = { keepDays: null, keepVersions: null, keepRuns: null, kinds: [], graceHours: 24 };

/** What is kept, said again as plain sets: see `withCandidates`. */
function kept(of: Drawing, policy: RetentionPolicy): Set<string> {
  const { artifacts, runs = [], versions = [], pins = [], priors = [] } = of;
  const byId = new Map(artifacts.map((one) => [one.id, one]));
  const reach = (roots: Iterable<string>) => {
    const seen = new Set<string>();
    const look = (id: string) => {
      if (seen.has(id)) return;
      seen.add(id);
      byId.get(id)?.inputs.forEach(look);
    };
    for (const id of roots) look(id);
    return seen;
  };
  const lastUse = (id: string) => {
    const uses = runs.filter((run) => run.uses.includes(id));
    if (uses.length === 0) return byId.get(id)!.madeDaysAgo;
    return Math.min(...uses.map((run) => run.endedDaysAgo ?? -Infinity));
  };
  const rule = (one: DrawnArtifact) => policy.kinds.find(({ kind }) => kind === one.kind);
  const ripe = (one: DrawnArtifact) => rule(one) !== undefined && lastUse(one.id) > rule(one)!.days;
  const there = artifacts.filter((one) => one.state !== 'DELETED');
  const expired = (one: DrawnArtifact) =>
    ripe(one) ||
    (one.kind === 'stage' && one.inputs.some((id) => there.some((input) => input.id === id && ripe(input))));

  const keptRuns = runs.filter((run) => {
    if (run.endedDaysAgo === null) return true;
    if (policy.keepDays === null && policy.keepRuns === null) return true;
    if (policy.keepDays !== null && run.endedDaysAgo <= policy.keepDays) return true;
    const newer = runs.filter(
      (other) =>
        other.dataset === run.dataset && other.state === 'SUCCEEDED' && other.endedDaysAgo! < run.endedDaysAgo!,
    );
    return run.state === 'SUCCEEDED' && policy.keepRuns !== null && newer.length < policy.keepRuns;
  });
  const keptVersions = versions.filter((version) => {
    const newer = versions.filter(
      (other) => other.dataset === version.dataset && other.importedDaysAgo < version.importedDaysAgo,
    );
    return policy.keepVersions === null || newer.length < policy.keepVersions;
  });
  const used = new Set(runs.flatMap((run) => run.uses));
  const wanted = reach([
    ...keptVersions.map((version) => version.artifact),
    ...there
      .filter((one) => {
        if (expired(one)) return false;
        if (keptRuns.some((run) => run.uses.includes(one.id))) return true;
        if (policy.keepDays !== null && one.madeDaysAgo <= policy.keepDays) return true;
        if (one.kind === 'datasetVersion') return policy.keepVersions === null;
        return policy.keepDays === null && !used.has(one.id);
      })
      .map(({ id }) => id),
  ]);
  const firm = reach([
    ...pins,
    ...priors,
    ...runs.filter((run) => run.endedDaysAgo === null).flatMap((run) => run.uses),
  ]);
  return new Set(
    there
      .filter((one) => firm.has(one.id) || (wanted.has(one.id) && !(ripe(one) && rule(one)!.cutLineage)))
      .map(({ id }) => id),
  );
}

/* Days are drawn apart from each other: no two of a kind are of one day, and no rule ends on the day that something did. */
const KINDS = ['latents', 'codebook', 'images', 'stage', 'datasetVersion', 'prior'];
const day = fc.integer({ min: 0, max: 99 }).map((days) => 2 * days + 1);
const rule = (least: number, most: number) => fc.option(fc.integer({ min: least, max: most }), { nil: null });

const drawing = fc
  .array(
    fc.record({ kind: fc.constantFrom(...KINDS), from: fc.array(fc.nat(30), { maxLength: 3 }), day, gone: fc.nat(9) }),
    { minLength: 1, maxLength: 24 },
  )
  .chain((drawn) => {
    const artifacts = drawn.map(({ kind, from, day: madeDaysAgo, gone }, index): DrawnArtifact => {
      const inputs = [...new Set(index === 0 ? [] : from.map((at) => `artifact ${at % index}`))];
      return {
        ...{ id: `artifact ${index}`, kind, inputs, madeDaysAgo },
        state: gone === 0 ? 'DELETED' : gone < 3 ? 'DOOMED' : 'KEPT',
      };
    });
    const id = fc.constantFrom(...artifacts.map((one) => one.id));
    const some = (maxLength: number) => fc.uniqueArray(id, { maxLength });
    const dataset = fc.constantFrom('a', 'b');
    const run = fc.record({
      dataset,
      state: fc.constantFrom('QUEUED', 'RUNNING', 'STOPPING', 'SUCCEEDED', 'SUCCEEDED', 'FAILED', 'CANCELLED'),
      day,
      uses: some(6),
    });
    return fc.record({
      artifacts: fc.constant(artifacts),
      runs: fc.uniqueArray(run, { maxLength: 6, selector: (one) => one.day }).map((runs) =>
        runs.map(
          ({ day: ended, ...one }, index) =>
            ({
              ...one,
              id: `run ${index}`,
              endedDaysAgo: ['QUEUED', 'RUNNING', 'STOPPING'].includes(one.state) ? null : ended,
            }) as DrawnRun,
        ),
      ),
      versions: fc
        .uniqueArray(fc.record({ dataset, day, artifact: id }), { maxLength: 5, selector: (one) => one.day })
        .map((versions) =>
          versions.map(({ day: importedDaysAgo, ...one }, index): DrawnVersion => ({
            ...one,
            importedDaysAgo,
            number: index + 1,
          })),
        ),
      pins: some(2),
      priors: some(2),
    });
  });
const policies = fc.record({
  keepDays: rule(1, 100).map((days) => days && 2 * days),
  keepVersions: rule(1, 3),
  keepRuns: rule(1, 3),
  kinds: fc
    .uniqueArray(
      fc.record({
        kind: fc.constantFrom('latents', 'codebook', 'images'),
        days: fc.integer({ min: 1, max: 90 }).map((days) => 2 * days),
        cutLineage: fc.boolean(),
      }),
      { maxLength: 2, selector: (one) => one.kind },
    )
    .map((kinds) => kinds.map((one) => ({ ...one }))),
  graceHours: fc.constant(24),
});

describe('what a policy keeps', () => {
  it('is what lineage reaches from what it wants, pins, priors and runs in flight, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(drawing, policies, async (drawn, policy) => {
        const of = { projectId: newProject(), ...drawn };
        await draw(database.db, of);
        const rows = retention.project(of.projectId);
        const keep = kept(of, policy);
        const there = of.artifacts.filter((one) => one.state !== 'DELETED');
        const expected = there.map(({ id }) => id).filter((id) => !keep.has(id));

        const { items } = await rows.planItems(policy, NOW, { first: 100, after: null });
        expect(items.map(({ artifact }) => artifact.id).sort()).toEqual([...expected].sort());
        expect(await rows.plan(policy, NOW)).toMatchObject({
          artifacts: expected.length,
          bytes: 100 * expected.length,
        });

        await rows.mark(policy, NOW, signal);
        const states = await statesOf(database.db, of.projectId);
        for (const { id } of there) expect([id, states.get(id)]).toEqual([id, keep.has(id) ? 'KEPT' : 'DOOMED']);

        // Closed: what is kept lacks nothing but what a rule cut.
        const cut = new Set<string>(policy.kinds.filter((one) => one.cutLineage).map((one) => one.kind));
        for (const { id, inputs } of there.filter((one) => keep.has(one.id))) {
          for (const input of inputs) {
            const kind = of.artifacts.find((one) => one.id === input)!.kind;
            if (!cut.has(kind)) expect([id, input, states.get(input)]).not.toEqual([id, input, 'DOOMED']);
          }
        }

        // The grace period is not over; then it is.
        const early = await rows.deleteDoomed(daysAgo(1), NOW, 100);
        expect(early.artifacts).toBe(0);
        await rows.deleteDoomed(NOW, NOW, 100);
        const after = await statesOf(database.db, of.projectId);
        for (const { id } of there) expect([id, after.get(id)]).toEqual([id, keep.has(id) ? 'KEPT' : 'DELETED']);
      }),
      { numRuns: 120 },
    );
  }, 300_000);

  it('says why each goes', async () => {
    const projectId = newProject();
    await draw(database.db, {
      projectId,
      artifacts: [
        { id: 'v1', kind: 'datasetVersion', inputs: [], madeDaysAgo: 50 },
        { id: 'v2', kind: 'datasetVersion', inputs: [], madeDaysAgo: 5 },
        { id: 'old', kind: 'codebook', inputs: ['v1'], madeDaysAgo: 50 },
        { id: 'latents', kind: 'latents', inputs: ['v2'], madeDaysAgo: 5 },
        { id: 'encode', kind: 'stage', inputs: ['latents'], madeDaysAgo: 5 },
        { id: 'new', kind: 'codebook', inputs: ['latents'], madeDaysAgo: 5 },
      ],
      runs: [
        { id: 'a', dataset: 'd', state: 'SUCCEEDED', endedDaysAgo: 50, uses: ['v1', 'old'] },
        { id: 'b', dataset: 'd', state: 'SUCCEEDED', endedDaysAgo: 5, uses: ['v2', 'latents', 'encode', 'new'] },
      ],
      versions: [
        { dataset: 'd', number: 1, importedDaysAgo: 50, artifact: 'v1' },
        { dataset: 'd', number: 2, importedDaysAgo: 5, artifact: 'v2' },
      ],
    });
    const rows = retention.project(projectId);
    const because = async (policy: Partial<RetentionPolicy>) => {
      const { items } = await rows.planItems({ ...POLICY, ...policy }, NOW, { first: 10, after: null });
      return Object.fromEntries(items.map(({ artifact, reason }) => [artifact.id, reason]));
    };
    expect(await because({ keepRuns: 1 })).toEqual({ old: 'RUN_NOT_KEPT' });
    expect(await because({ keepRuns: 1, keepVersions: 1 })).toEqual({ old: 'RUN_NOT_KEPT', v1: 'VERSION_NOT_KEPT' });
    const latents = { kind: 'latents', days: 3, cutLineage: false };
    // Needed by the codebook that is kept; the stage alone lists what has expired.
    expect(await because({ kinds: [latents] })).toEqual({ encode: 'KIND_EXPIRED' });
    expect(await because({ kinds: [{ ...latents, cutLineage: true }] })).toEqual({
      encode: 'KIND_EXPIRED',
      latents: 'KIND_EXPIRED',
    });
  });

  it('is told in pages', async () => {
    const projectId = newProject();
    const ids = Array.from({ length: 25 }, (_, index) => `artifact ${String(index).padStart(2, '0')}`);
    const artifacts = ids.map((id) => ({ id, kind: 'images', inputs: [], madeDaysAgo: 9 }));
    await draw(database.db, { projectId, artifacts });
    const rows = retention.project(projectId);
    const seen: string[] = [];
    for (let after: string | null = null, more = true; more;) {
      const page = await rows.planItems({ ...POLICY, keepDays: 3 }, NOW, { first: 10, after });
      seen.push(...page.items.map(({ artifact }) => artifact.id));
      after = seen.at(-1)!;
      more = page.hasMore;
    }
    expect(seen).toEqual(ids);
  });

  it('counts as free only what nothing else names', async () => {
    const projectId = newProject();
    await draw(database.db, {
      projectId,
      artifacts: [
        { id: 'goes', kind: 'images', inputs: [], madeDaysAgo: 9 },
        { id: 'stays', kind: 'images', inputs: [], madeDaysAgo: 1 },
      ],
    });
    const shared = { project_id: projectId, sha256: 'shared', bytes: 7 };
    const values = ['goes', 'stays'].map((artifact_id) => ({ ...shared, artifact_id }));
    await database.db.insertInto('blob_references').values(values).execute();
    const plan = await retention.project(projectId).plan({ ...POLICY, keepDays: 3 }, NOW);
    expect(plan).toMatchObject({ artifacts: 1, bytes: 100 });
  });
});

describe('a decision waits for who needs an artifact, and sees what he did', () => {
  /** Somebody's transaction is open while the pass chooses, and ends once the pass waits for it. */
  async function beside(
    policy: Partial<RetentionPolicy>,
    work: (projectId: string) => (tx: Parameters<typeof shareBytes>[0]) => Promise<unknown>,
  ): Promise<Map<string, string>> {
    const projectId = newProject();
    await draw(database.db, {
      projectId,
      artifacts: [
        { id: 'version', kind: 'datasetVersion', inputs: [], madeDaysAgo: 9 },
        { id: 'latents', kind: 'latents', inputs: ['version'], madeDaysAgo: 9 },
        { id: 'codebook', kind: 'codebook', inputs: ['latents'], madeDaysAgo: 9 },
        { id: 'other', kind: 'codebook', inputs: [], madeDaysAgo: 9 },
      ],
      runs: [{ id: 'old', dataset: 'd', state: 'SUCCEEDED', endedDaysAgo: 9, uses: ['latents', 'codebook', 'other'] }],
    });
    const rows = retention.project(projectId);
    let marking: Promise<unknown> = Promise.resolve();
    await database.db.transaction().execute(async (tx) => {
      await shareBytes(tx, projectId);
      await work(projectId)(tx);
      marking = rows.mark({ ...POLICY, keepDays: 3, ...policy }, NOW, signal);
      await until(async () => {
        const waiting = sql<{
          n: number;
        }>`select count(*) as n from pg_locks where locktype = 'advisory' and not granted`;
        return (await waiting.execute(database.db)).rows[0]!.n > 0;
      }, 'the pass to wait');
    });
    await marking;
    return statesOf(database.db, projectId);
  }

  it('a pin holds its lineage', async () => {
    const states = await beside(
      {},
      (project_id) => (tx) =>
        tx
          .insertInto('artifact_pins')
          .values({ project_id, artifact_id: 'codebook', note: '', pinned_by: 'test' })
          .execute(),
    );
    expect(Object.fromEntries(states)).toMatchObject({ codebook: 'KEPT', latents: 'KEPT', other: 'DOOMED' });
  });

  it('a pin holds its lineage also against a rule that cuts it', async () => {
    const kinds = [{ kind: 'latents', days: 1, cutLineage: true }];
    const states = await beside(
      { kinds },
      (project_id) => (tx) =>
        tx
          .insertInto('artifact_pins')
          .values({ project_id, artifact_id: 'codebook', note: '', pinned_by: 'test' })
          .execute(),
    );
    expect(Object.fromEntries(states)).toMatchObject({ codebook: 'KEPT', latents: 'KEPT', other: 'DOOMED' });
  });

  it('an artifact that is recorded holds what it was made from', async () => {
    const fresh = { id: 'fresh', kind: 'images', inputs: ['codebook'], madeDaysAgo: 0 };
    const states = await beside(
      {},
      (projectId) => (tx) =>
        insertArtifacts(tx, { projectId }, [{ manifest: drawnManifest(fresh), title: 'fresh' }], database.objects),
    );
    const expected = { fresh: 'KEPT', codebook: 'KEPT', latents: 'KEPT', version: 'KEPT', other: 'DOOMED' };
    expect(Object.fromEntries(states)).toEqual(expected);
  });

  it('a run that ended while the pass chose holds what it used', async () => {
    const states = await beside({}, (projectId) => async (tx) => {
      const { id } = await tx
        .selectFrom('runs')
        .select('id')
        .where('project_id', '=', projectId)
        .executeTakeFirstOrThrow();
      await tx
        .updateTable('runs')
        .set({ ended_at: sql<Date>`clock_timestamp() + interval '1 minute'` })
        .where('id', '=', id)
        .execute();
    });
    expect([...states.values()]).not.toContain('DOOMED');
  });
});

describe('whoever records an artifact', () => {
  const one = { id: 'one', kind: 'codebook', inputs: ['input'], madeDaysAgo: 9 };
  const record = (projectId: string, bytesOf: () => Promise<number | null> = async () => null) =>
    database.db.transaction().execute((tx) =>
      insertArtifacts(tx, { projectId }, [{ manifest: drawnManifest(one), title: 'one' }], {
        ...database.objects,
        bytesOf,
      }),
    );
  const drawn = async (state: 'DOOMED' | 'KEPT') => {
    const projectId = newProject();
    const artifacts = [
      { ...one, state },
      { id: 'input', kind: 'latents', inputs: [], madeDaysAgo: 9, state },
    ];
    await draw(database.db, { projectId, artifacts });
    return projectId;
  };

  it('rescues it and what it was made from', async () => {
    const projectId = await drawn('DOOMED');
    await record(projectId);
    expect([...(await statesOf(database.db, projectId)).values()]).toEqual(['KEPT', 'KEPT']);
  });

  it('is refused while its bytes go and until they are written anew; then it lives again', async () => {
    const projectId = await drawn('DOOMED');
    const rows = retention.project(projectId);
    const { keys, sweep } = await rows.deleteDoomed(NOW, NOW, 10);
    expect(keys).toHaveLength(4);
    const refused = { code: 'STORE_UNAVAILABLE', details: { swept: true } };
    // Being deleted: what lies there yet does not count.
    await expect(record(projectId, async () => 100)).rejects.toMatchObject(refused);
    await rows.confirmGone(sweep, keys);
    await expect(record(projectId)).rejects.toMatchObject(refused);
    await expect(record(projectId, async () => 99)).rejects.toMatchObject(refused);
    expect([...(await statesOf(database.db, projectId)).values()]).toEqual(['DELETED', 'DELETED']);
    await record(projectId, async () => 100);
    expect(Object.fromEntries(await statesOf(database.db, projectId))).toEqual({ one: 'KEPT', input: 'DELETED' });
    expect(await rows.blobs('', 10)).toEqual([{ sha256: drawnManifest(one).blobs['data']!.sha256, bytes: 100 }]);
  });

  it('is refused still where another took the deletion over', async () => {
    const projectId = await drawn('DOOMED');
    const rows = retention.project(projectId);
    const begun = await rows.deleteDoomed(NOW, NOW, 10);
    expect((await rows.takeInterrupted(60_000, 10)).keys).toEqual([]);
    const taken = await rows.takeInterrupted(0, 10);
    expect(taken.keys).toEqual([...begun.keys].sort());
    // Whoever began it comes late: the other may be about to delete.
    await rows.confirmGone(begun.sweep, begun.keys);
    await expect(record(projectId, async () => 100)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await rows.confirmGone(taken.sweep, taken.keys);
    await record(projectId, async () => 100);
    expect((await statesOf(database.db, projectId)).get('one')).toBe('KEPT');
  });
});

it('a policy that is taken away dooms nothing any more', async () => {
  const projectId = newProject();
  await draw(database.db, {
    projectId,
    artifacts: [{ id: 'one', kind: 'images', inputs: [], madeDaysAgo: 9, state: 'DOOMED' }],
  });
  const rows = retention.project(projectId);
  await rows.setPolicy({ ...POLICY, keepDays: 1 }, 'someone');
  expect(await rows.policy()).toMatchObject({ keepDays: 1, setBy: 'someone' });
  expect(await retention.projects()).toContainEqual({ projectId, interrupted: false });
  await rows.setPolicy(null, 'someone');
  expect(await rows.policy()).toBeNull();
  expect([...(await statesOf(database.db, projectId)).values()]).toEqual(['KEPT']);
});

it('one pass over a project at a time', async () => {
  const claim = await retention.claimPass('project_x');
  expect(claim?.lost.aborted).toBe(false);
  expect(await retention.claimPass('project_x')).toBeNull();
  const other = await retention.claimPass('project_y');
  expect(other).not.toBeNull();
  await Promise.all([claim!.release(), other!.release()]);
  const again = await retention.claimPass('project_x');
  expect(again).not.toBeNull();
  await sql`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'`.execute(database.db);
  await expect.poll(() => again!.lost.aborted).toBe(true);
  await again!.release();
});
