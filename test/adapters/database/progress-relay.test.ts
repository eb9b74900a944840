import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProgressRelay, type ProgressReport } from '../../../src/adapters/database/progress-relay.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startTestPostgres()), 60_000);
afterAll(() => postgres.stop());

it('progress reaches whoever listens, also after its connection broke', async () => {
  const { db, url } = await postgres.database();
  const [here, there] = [0, 1].map(() => createProgressRelay({ db, url, clock: systemClock, log: silentLog }));
  const heard: ProgressReport[] = [];
  there!.listen((report) => heard.push(report));
  let sent = 0;
  const arrives = () =>
    until(async () => {
      await here!.send({ runId: 'run_1', attemptId: 'attempt_1', itemsDone: ++sent });
      return heard.some(({ itemsDone }) => itemsDone === sent);
    }, 'what was sent to be heard');
  await arrives();
  await db.executeQuery(
    CompiledQuery.raw(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pushforward progress' and datname = current_database()`,
    ),
  );
  await arrives();
  expect(heard.at(-1)).toEqual({ runId: 'run_1', attemptId: 'attempt_1', itemsDone: sent });
  await there!.close();
});
