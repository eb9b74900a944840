/** What a strict reader of OpenLineage says of events: by the specification, by the schema of each facet, and by its rules for runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { default as addFormats } from 'ajv-formats';

export interface OpenLineageEvent {
  eventType: string;
  eventTime: string;
  run: { runId: string; facets: Facets };
  job: { namespace: string; name: string; facets: Facets };
  inputs: OpenLineageDataset[];
  outputs: OpenLineageDataset[];
}
export interface OpenLineageDataset {
  namespace: string;
  name: string;
  facets: Facets;
  inputFacets?: Facets;
  outputFacets?: Facets;
}
type Facets = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

const SPECIFICATION = new URL('../fixtures/openlineage/', import.meta.url);
const FACETS = [new URL('facets/', SPECIFICATION), new URL('../../schema/openlineage/', import.meta.url)];

interface Schema {
  $id: string;
  properties: Record<string, unknown>;
}
const read = (url: URL) => JSON.parse(readFileSync(url, 'utf8')) as Schema;
export const FACET_SCHEMAS = FACETS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => read(new URL(name, folder))),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(read(new URL('OpenLineage.json', SPECIFICATION)));
for (const schema of FACET_SCHEMAS) ajv.addSchema(schema);

/** Everything that is wrong with an event. */
export function flawsOf(event: OpenLineageEvent): string[] {
  const flaws = validate('https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent', event, 'event');
  const of = (facets: Facets | undefined, where: string) => {
    for (const [key, facet] of Object.entries(facets ?? {})) flaws.push(...flawsOfFacet(key, facet, `${where}.${key}`));
  };
  of(event.run.facets, 'run');
  of(event.job.facets, 'job');
  for (const [side, datasets] of Object.entries({ inputs: event.inputs, outputs: event.outputs })) {
    for (const dataset of datasets) {
      of(dataset.facets, `${side} ${dataset.name}`);
      of(dataset.inputFacets, `${side} ${dataset.name}`);
      of(dataset.outputFacets, `${side} ${dataset.name}`);
    }
  }
  return flaws;
}

/** A facet is one that its schema puts under this key, and is as that says. */
function flawsOfFacet(key: string, facet: Record<string, unknown>, where: string): string[] {
  const url = String(facet['_schemaURL']);
  const schema = FACET_SCHEMAS.find(({ $id }) => url.split('#')[0] === $id);
  if (!schema) return [`${where}: no schema ${url}`];
  if (!(key in schema.properties)) return [`${where}: ${url} is of ${Object.keys(schema.properties).join()}`];
  return [...validate(url, facet, where), ...validate(schema.$id, { [key]: facet }, where)];
}

function validate(url: string, value: unknown, where: string): string[] {
  const check = ajv.getSchema(url);
  if (!check) return [`${where}: nothing at ${url}`];
  void check(value);
  return (check.errors ?? []).map(({ instancePath, message }) => `${where}${instancePath}: ${message}`);
}

/** @returns types in order, by run; throws where a run does not begin with its one START, or goes on after its one end */
export function historiesOf(events: readonly OpenLineageEvent[]): Map<string, string[]> {
  const histories = new Map<string, string[]>();
  for (const { run, eventType } of events) histories.set(run.runId, [...(histories.get(run.runId) ?? []), eventType]);
  for (const [runId, types] of histories) {
    const ok = /^START( RUNNING)*( COMPLETE| FAIL| ABORT)?$/.test(types.join(' '));
    if (!ok) throw new Error(`expected START, RUNNING, then an end, got ${types.join(' ')} of ${runId}`);
  }
  return histories;
}

export interface LineageReceiver {
  url: string;
  /** In the order they came, those that were answered with 2xx. */
  events: OpenLineageEvent[];
  requests: { path: string; headers: IncomingMessage['headers'] }[];
  /** Answers the next requests; null: 201. */
  answer: ((event: OpenLineageEvent, response: ServerResponse) => void) | null;
  close(): void;
}

/** A receiver of OpenLineage events over HTTP, at `port` where it was before. */
export async function startLineageReceiver(port = 0): Promise<LineageReceiver> {
  const receiver: Omit<LineageReceiver, 'url' | 'close'> = { events: [], requests: [], answer: null };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      receiver.requests.push({ path: request.url!, headers: request.headers });
      const body = Buffer.concat(parts);
      const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      const event = JSON.parse(text.toString()) as OpenLineageEvent;
      if (receiver.answer) {
        response.once('finish', () => void (response.statusCode < 300 && receiver.events.push(event)));
        return receiver.answer(event, response);
      }
      receiver.events.push(event);
      response.writeHead(201).end();
    });
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}
