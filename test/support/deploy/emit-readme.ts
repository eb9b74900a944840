/** Writes the table of values into the chart's README. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART } from './chart.ts';
import { readmeWithValues } from './values.ts';

const path = join(CHART, 'README.md');
writeFileSync(path, readmeWithValues(readFileSync(path, 'utf8')));
