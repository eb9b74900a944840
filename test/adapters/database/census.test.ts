import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { observeDatabase } from '../../../src/adapters/database/census.ts';
import { engineOver, launch } from '../../support/engine.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());

/** The value of a metric that has no attributes, as a service tells it that has just come. */
async function told({ db }: TestDatabase, name: string): Promise<unknown> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(meters);
  try {
    observeDatabase(db);
    const { resourceMetrics } = await reader.collect();
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return all.find(({ descriptor }) => descriptor.name === name)?.dataPoints.map(({ value }) => value);
  } finally {
    await meters.shutdown();
    metrics.disable();
  }
}

it('counts the runs whose attempts were not seen gone, until they are', async () => {
  const database = await postgres.database();
  const { engine, fakes } = await engineOver(database);
  fakes.executor.hold = () => true;
  await engine.start();
  const runId = await launch(engine, database.db);
  await until(() => fakes.executor.held.length === 2);
  const unconfirmed = () => told(database, 'pushforward.runs.unconfirmed');
  expect(await unconfirmed()).toEqual([0]);
  await database.db.updateTable('runs').set({ resources_unconfirmed: true }).where('id', '=', runId).execute();
  expect(await unconfirmed()).toEqual([1]);
  await engine.cancel('project_1', runId);
  await until(async () => JSON.stringify(await unconfirmed()) === '[0]');
  await engine.stop();
  await database.db.destroy();
});
