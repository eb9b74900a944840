import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { type JsonObject, type JsonValue } from '../../src/base/json.ts';
import { sampleEvent, sampleEvents } from '../../src/control/webhooks/samples.ts';
import { checkTemplate, fillTemplate } from '../../src/control/webhooks/template.ts';
import { ROOT } from '../support/service-process.ts';

const EXAMPLES = join(ROOT, 'deploy/examples');
const sample = sampleEvent('alias.promoted', 'default') as JsonObject & { data: JsonObject };
const files = (await readdir(EXAMPLES, { recursive: true })).sort();
const read = (file: string) => readFile(join(EXAMPLES, file), 'utf8');
const ending = (end: string) => files.filter((file) => file.endsWith(end));

describe('examples of webhooks', () => {
  it.each(ending('template.json'))('%s is a template that a promotion fills', async (file) => {
    const template = JSON.parse(await read(file)) as JsonValue;
    checkTemplate(template, sampleEvents(['alias.promoted'], 'default'));
    const body = JSON.stringify(fillTemplate(template, sample));
    expect(body).toContain((sample.data['training'] as JsonObject)['url']);
    expect(body).not.toContain('{{');
  });

  it.each(ending('.yaml'))('%s is YAML without a flaw, and names only what an event has', async (file) => {
    const documents = parseAllDocuments(await read(file));
    for (const document of documents) expect(document.errors).toEqual([]);
    for (const { groups } of JSON.stringify(documents).matchAll(/"dataKey":"body\.(?<path>[\w.]+)"/g)) {
      const found = groups!
        ['path']!.split('.')
        .reduce<JsonValue | undefined>((at, key) => (at as JsonObject)?.[key], sample);
      expect([groups!['path'], found]).toEqual([groups!['path'], expect.anything()]);
    }
  });

  it('of Python compile', async () => {
    const programs = ending('.py');
    expect(programs.length).toBeGreaterThan(3);
    const check = 'import ast, sys\nfor path in sys.argv[1:]: ast.parse(open(path).read(), path)';
    await promisify(execFile)('python3', ['-c', check, ...programs.map((file) => join(EXAMPLES, file))]);
  });

  it('takes from the payload of a dispatch what its template sends', async () => {
    const { client_payload: payload } = JSON.parse(await read('github-actions/template.json')) as {
      client_payload: JsonObject;
    };
    const used = [...(await read('github-actions/retrain.yaml')).matchAll(/client_payload\.(\w+)/g)].map(
      ([, name]) => name!,
    );
    expect(used.length).toBeGreaterThan(0);
    for (const name of used) expect(Object.keys(payload)).toContain(name);
  });
});
