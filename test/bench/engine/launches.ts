import { engineOver, launchRequest } from '../../support/engine.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { type BenchCase } from '../bench.ts';

const LAUNCHES = 100;
const CASE = `${LAUNCHES} concurrent launches of one key, runs`;

/** Through three engines over one database, as three replicas of the service would send them. */
export async function* launchCases(wanted: (name: string) => boolean): AsyncIterable<BenchCase> {
  if (!wanted(CASE)) return;
  const postgres = await startTestPostgres();
  try {
    const database = await postgres.database();
    const replicas = await Promise.all([1, 2, 3].map(() => engineOver(database)));
    const request = await launchRequest(database.db, { idempotencyKey: 'one' });
    const begin = performance.now();
    const answers = await Promise.all(
      Array.from({ length: LAUNCHES }, (_, index) => replicas[index % replicas.length]!.engine.launch(request)),
    );
    const ms = performance.now() - begin;
    const { length: rows } = await database.db.selectFrom('runs').select('id').execute();
    const answered = new Set(answers.map(({ run }) => run.id)).size;
    const created = answers.filter(({ created }) => created).length;
    yield { case: CASE, unit: 'count', ours: rows, peers: { limit: 1 }, target: 1, answered, created, ms };
  } finally {
    await postgres.stop();
  }
}
