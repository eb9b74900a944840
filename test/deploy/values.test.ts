/** Values, their documentation and their schema say the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALL_STAGES } from '../../src/pipeline/stages/index.ts';
import { CHART } from '../support/deploy/chart.ts';
import { chartValues, readmeWithValues } from '../support/deploy/values.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  propertyNames?: { enum: string[] };
  $defs?: Record<string, Schema>;
}

const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

function at(path: string): Schema | undefined {
  let found: Schema | undefined = schema;
  for (const key of path.split('.')) {
    const { properties, additionalProperties }: Schema = resolved(found);
    // Kubernetes says what may be in it.
    if (!properties && additionalProperties === undefined) return {};
    found = properties?.[key] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    if (!found) return undefined;
  }
  return resolved(found);
}

const resolved = (of: Schema | undefined): Schema =>
  (of?.$ref ? schema.$defs![of.$ref.replace('#/$defs/', '')] : of) ?? {};

function properties(of: Schema, prefix = ''): string[] {
  return Object.entries(resolved(of).properties ?? {}).flatMap(([key, value]) => [
    `${prefix}${key}`,
    ...properties(value, `${prefix}${key}.`),
  ]);
}

describe('the values of the chart', () => {
  it('are described one by one', () => {
    const values = chartValues();
    expect(values.length).toBeGreaterThan(150);
    for (const { path, description } of values)
      expect([path, description]).toEqual([path, expect.stringMatching(/\.$/)]);
    expect(() => chartValues('# Known.\na: 1\nb: 2\n')).toThrow('expected a comment above b in values.yaml');
  });

  it('stand in the README, as `npm run chart` writes it', () => {
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    expect(readme).toBe(readmeWithValues(readme));
  });

  it('are all in the schema, which knows no others', () => {
    const values = chartValues();
    for (const { path } of values) expect([path, at(path)]).not.toEqual([path, undefined]);
    const known = new Set(values.map(({ path }) => path));
    const optional = /^(global$|executor\.kubernetes\.classes\.|\w+(\.\w+)*\.(requests|limits)$)/;
    for (const path of properties(schema)) if (!optional.test(path)) expect(known).toContain(path);
    for (const { path, fallback } of values) {
      if (fallback !== undefined || /^executor\.kubernetes\.classes|ecurityContext/.test(path)) continue;
      expect([path, at(path)!.additionalProperties]).toEqual([path, false]);
    }
  });

  it('name a class for the stages that there are', () => {
    expect(at('executor.kubernetes.stages')!.propertyNames!.enum).toEqual(ALL_STAGES.map(({ name }) => name));
  });
});
