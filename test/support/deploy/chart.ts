import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { ROOT } from '../service-process.ts';
import { helm, run } from './tools.ts';

export const CHART = join(ROOT, 'helm/pushforward');
export const NAMESPACE = 'team';

/** The values files under ci/, each a way in which the chart is installed. */
export const SCENARIOS = readdirSync(join(CHART, 'ci')).map((file) => file.replace(/-values\.yaml$/, ''));

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  // Whatever the kind has; kubeconform checks it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [field: string]: any;
}

/** What `helm template` makes of a scenario, also as text. */
export async function render(
  scenario: string,
  overrides: Record<string, unknown> = {},
): Promise<{ text: string; objects: KubernetesObject[] }> {
  const text = await withValues(overrides, async (file) =>
    run(await helm(), [
      'template',
      'release',
      CHART,
      '--namespace',
      NAMESPACE,
      ...valuesOf(scenario),
      '--values',
      file,
    ]),
  );
  return { text, objects: objectsOf(text) };
}

export async function lint(scenario: string): Promise<string> {
  return run(await helm(), ['lint', '--strict', CHART, ...valuesOf(scenario)]);
}

export function only(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.filter((object) => object.kind === kind);
  if (found.length !== 1) throw new Error(`expected one ${kind}, got ${found.length}`);
  return found[0]!;
}

function valuesOf(scenario: string): string[] {
  return ['--values', join(CHART, 'ci', `${scenario}-values.yaml`)];
}

async function withValues<T>(values: Record<string, unknown>, work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-values-'));
  try {
    const file = join(folder, 'values.yaml');
    await writeFile(file, stringify(values));
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A key that stands twice is an error. */
function objectsOf(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text);
  if ('empty' in documents) return [];
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    const value = document.toJS() as KubernetesObject | null;
    return value === null ? [] : [value];
  });
}
