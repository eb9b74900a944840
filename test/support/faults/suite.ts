import { afterAll, beforeAll, expect } from 'vitest';
import { expectWhole, type MadeArtifacts, madeBy } from './invariants.ts';
import { type FaultyPostgres, startFaultyPostgres } from './postgres.ts';
import { makeSources, type Sources, withWorld, type World, type WorldOptions } from './world.ts';

/** What the tests of a file share: the server of their databases, what they import, and what a run makes that nothing disturbs. */
export interface FaultSuite {
  readonly postgres: FaultyPostgres;
  within(use: (world: World) => Promise<void>, options?: Partial<WorldOptions>): Promise<void>;
  /** Launches a run, lets faults happen to it, and checks that it ends as if there had been none. */
  survives(
    faults: (world: World, runId: string) => Promise<void>,
    options?: Partial<WorldOptions> & { arm?: Parameters<World['arm']> },
  ): Promise<void>;
}

export function faultSuite(): FaultSuite {
  let postgres: FaultyPostgres;
  let sources: Sources;
  let undisturbed: MadeArtifacts;
  const within: FaultSuite['within'] = (use, options = {}) => withWorld({ postgres, sources, ...options }, use);
  beforeAll(async () => {
    [postgres, sources] = await Promise.all([startFaultyPostgres(), makeSources()]);
    await within(async (world) => {
      const { runId } = await world.launch();
      expect(await world.ended(runId)).toBe('SUCCEEDED');
      undisturbed = await madeBy(world, runId);
      expect(Object.keys(undisturbed).length).toBeGreaterThan(20);
    });
  });
  afterAll(async () => {
    await postgres.stop();
    await sources.remove();
  });
  return {
    get postgres() {
      return postgres;
    },
    within,
    survives: (faults, { arm = [], ...options } = {}) =>
      within(async (world) => {
        await world.arm(...arm);
        const idempotencyKey = crypto.randomUUID();
        const { runId } = await world.launch(idempotencyKey);
        await faults(world, runId);
        expect(await world.ended(runId)).toBe('SUCCEEDED');
        await expectWhole(world, { runId, idempotencyKey, undisturbed });
      }, options),
  };
}
