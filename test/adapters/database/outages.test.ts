import { expect, it } from 'vitest';
import { isDatabaseOutage, namingOutages } from '../../../src/adapters/database/outages.ts';

const withCode = (code: string) => Object.assign(new Error('x'), { code });

it('tells a database that is away from a query that is wrong', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', '57P01', '53300', '40P01', '08006']) {
    expect(isDatabaseOutage(withCode(code))).toBe(true);
  }
  for (const code of ['23505', '42P01', 'ENOENT']) expect(isDatabaseOutage(withCode(code))).toBe(false);
  expect(isDatabaseOutage(new Error('Connection terminated unexpectedly'))).toBe(true);
});

it('names the one and leaves the other as it is', async () => {
  const of = namingOutages({ run: (code: string) => Promise.reject(withCode(code)) });
  await expect(of.run('ECONNRESET')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  await expect(of.run('23505')).rejects.toMatchObject({ code: '23505' });
});
