import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { goModule } from '../go.ts';
import { ROOT } from '../service-process.ts';

/** The release whose objects the chart makes. */
export const KUBERNETES = 'v1.36.3';
const GATEWAY_API = { module: 'sigs.k8s.io/gateway-api', version: 'v1.6.3', folder: 'config/crd/standard' };
const OPERATOR = {
  module: 'github.com/prometheus-operator/prometheus-operator',
  version: 'v0.85.0',
  folder: 'example/prometheus-operator-crd',
};

/** Kinds of custom resources: `group/version/Kind` to the file of their definition. */
const CUSTOM: Record<string, { module: string; version: string; folder: string; file: string }> = {
  'gateway.networking.k8s.io/v1/HTTPRoute': { ...GATEWAY_API, file: 'gateway.networking.k8s.io_httproutes.yaml' },
  'monitoring.coreos.com/v1/ServiceMonitor': { ...OPERATOR, file: 'monitoring.coreos.com_servicemonitors.yaml' },
  'monitoring.coreos.com/v1/PrometheusRule': { ...OPERATOR, file: 'monitoring.coreos.com_prometheusrules.yaml' },
};

type Schema = Record<string, unknown>;

/**
 * JSON schemas for kubeconform, made from what the projects publish in their Go modules: the OpenAPI description of
 * Kubernetes and the definitions of custom resources. Strict: a field that is not described is an error.
 * @param kinds `apiVersion/Kind`
 * @returns what `kubeconform -schema-location` takes
 */
export async function schemaLocation(kinds: Iterable<string>): Promise<string> {
  const folder = join(ROOT, 'node_modules/.cache', `kubernetes-schemas-${KUBERNETES}`);
  await mkdir(folder, { recursive: true });
  let published: Promise<Record<string, Schema>> | undefined;
  for (const kind of new Set(kinds)) {
    const schema = CUSTOM[kind] ? await customSchema(kind) : builtIn(await (published ??= definitions()), kind);
    await writeFile(join(folder, fileOf(kind)), JSON.stringify(schema));
  }
  return join(folder, '{{ .ResourceKind }}{{ .KindSuffix }}.json');
}

/** As kubeconform names it: the first part of the group, then the version. */
function fileOf(kind: string): string {
  const parts = kind.split('/');
  const group = parts.length === 3 ? `-${parts[0]!.split('.')[0]}` : '';
  return `${parts.at(-1)!.toLowerCase()}${group}-${parts.at(-2)}.json`;
}

async function definitions(): Promise<Record<string, Schema>> {
  const module = await goModule('k8s.io/kubernetes', KUBERNETES);
  const text = await readFile(join(module, 'api/openapi-spec/swagger.json'), 'utf8');
  return (JSON.parse(text) as { definitions: Record<string, Schema> }).definitions;
}

function builtIn(published: Record<string, Schema>, kind: string): Schema {
  const parts = kind.split('/');
  const [group, version, name] = parts.length === 3 ? parts : ['', ...parts];
  const found = Object.keys(published).find((key) =>
    (
      published[key]!['x-kubernetes-group-version-kind'] as
        { group: string; version: string; kind: string }[] | undefined
    )?.some((of) => of.group === group && of.version === version && of.kind === name),
  );
  if (!found) throw new Error(`expected Kubernetes ${KUBERNETES} to have ${kind}, got no such kind`);
  const needed: Record<string, unknown> = {};
  const take = (key: string) => {
    if (key in needed) return;
    needed[key] = null;
    needed[key] = key.endsWith('.resource.Quantity') ? { type: ['string', 'number'] } : strict(published[key], take);
  };
  take(found);
  return { $ref: `#/definitions/${found}`, definitions: needed };
}

async function customSchema(kind: string): Promise<Schema> {
  const { module, version, folder, file } = CUSTOM[kind]!;
  const text = await readFile(join(await goModule(module, version), folder, file), 'utf8');
  const { spec } = parse(text) as { spec: { versions: { name: string; schema: { openAPIV3Schema: Schema } }[] } };
  const found = spec.versions.find(({ name }) => name === kind.split('/').at(-2))!;
  return strict(found.schema.openAPIV3Schema, () => {}) as Schema;
}

/** @param onReference is told of the definitions that are referred to */
function strict(value: unknown, onReference: (key: string) => void): unknown {
  if (Array.isArray(value)) return value.map((item) => strict(item, onReference));
  if (typeof value !== 'object' || value === null) return value;
  const schema = value as Schema;
  if (typeof schema['$ref'] === 'string') {
    onReference(schema['$ref'].replace('#/definitions/', ''));
    return { $ref: schema['$ref'] };
  }
  if (schema['format'] === 'int-or-string') return { type: ['string', 'integer'] };
  const made = Object.fromEntries(Object.entries(schema).map(([key, of]) => [key, strict(of, onReference)]));
  const open = 'additionalProperties' in made || made['x-kubernetes-preserve-unknown-fields'] === true;
  // A property that is named `properties` is a schema, and has a type.
  if (made['type'] === 'object' && typeof made['properties'] === 'object' && !open)
    made['additionalProperties'] = false;
  return made;
}
