/** Writes the table of values into the chart's README, and the dashboards into the chart, which ships no file from outside it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART } from './chart.ts';
import { ROOT } from '../service-process.ts';
import { readmeWithValues } from './values.ts';

const path = join(CHART, 'README.md');
writeFileSync(path, readmeWithValues(readFileSync(path, 'utf8')));
cpSync(join(ROOT, 'deploy/grafana'), join(CHART, 'dashboards'), {
  recursive: true,
  filter: (from) => !from.endsWith('.yaml'),
});
