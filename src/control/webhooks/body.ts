import { type Clock } from '../../base/clock.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import { blobKey } from '../../pipeline/artifacts.ts';
import { type ObjectStore } from '../../pipeline/ports.ts';
import { CURRENCY } from '../costs.ts';
import { DRIFT_REPORT, driftFigures } from '../drift.ts';
import { TABLE } from '../openlineage/facts.ts';
import { type Catalog, type ProjectCatalog, type ToldEvent } from '../ports.ts';
import { qualities, type RunQuality } from '../quality.ts';
import { type ArtifactView, type DatasetVersionView, type DatasetView, type PriorView } from '../views.ts';

export interface BodyOptions {
  catalog: Catalog;
  store: Pick<ObjectStore, 'signedUrl'>;
  clock: Clock;
  /** Where clients reach the service. */
  serviceUrl: () => string;
}

/** Of the URLs of artifacts in a body: made for each try, so that one that arrives late can be used as well. */
export const URL_SECONDS = 3600;

/** What a project's event tells, as a CloudEvent (1.0, structured JSON); `schema/webhooks/event.json` describes it. */
export type CloudEvent = JsonObject;

/**
 * @returns the events in their order; what they tell of is read together
 */
export async function cloudEvents(
  { catalog, store, clock, serviceUrl }: BodyOptions,
  projectId: string,
  events: readonly ToldEvent[],
): Promise<CloudEvent[]> {
  const rows = catalog.project(projectId);
  const urlsExpireAt = new Date(clock.now().getTime() + 1000 * URL_SECONDS).toISOString();
  const promotedIds = events.flatMap(({ type, payload }) =>
    type.startsWith('alias.') && typeof payload['artifactId'] === 'string' ? [payload['artifactId']] : [],
  );
  const promoted = new Map((await rows.artifactsById([...new Set(promotedIds)])).map((one) => [one.id, one]));
  const artifactOf = ({ payload }: ToldEvent) => promoted.get(payload['artifactId'] as string);
  const runOf = (event: ToldEvent) => event.runId ?? artifactOf(event)?.runId ?? null;
  const runs = await runFacts(rows, [...new Set(events.flatMap((event) => runOf(event) ?? []))]);
  return await Promise.all(
    events.map(async (event) => {
      const facts = runs.get(runOf(event) ?? '');
      const own = artifactOf(event);
      const artifacts = own ? [own] : (facts?.artifacts ?? []);
      const data = {
        projectId,
        ...ownData(event),
        ...(facts && runData(facts)),
        ...(facts && { lineage: lineageOf(facts.quality.run.id, serviceUrl()) }),
        ...((facts || own) && { ...(await artifactData(artifacts, projectId, store)), urlsExpireAt }),
      };
      return envelope(event, projectId, data, facts?.quality.run.traceparent ?? null);
    }),
  );
}

export function envelope(
  { id, type, at, subject }: ToldEvent,
  projectId: string,
  data: JsonObject,
  traceparent: string | null,
): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: `/projects/${encodeURIComponent(projectId)}`,
    type: `pushforward.${type}`,
    subject,
    time: at.toISOString(),
    datacontenttype: 'application/json',
    ...(traceparent !== null && { traceparent }),
    data,
  };
}

/** What the event itself says, under the name of what it happened to. */
function ownData({ type, subject, payload }: ToldEvent): JsonObject {
  const [of] = type.split('.') as [string];
  if (of === 'run') return { failure: failureOf(payload) };
  return { [of]: of === 'alias' ? { name: subject, ...payload } : payload };
}

function failureOf({ failure }: JsonObject): JsonValue {
  if (!failure || typeof failure !== 'object' || Array.isArray(failure)) return null;
  const { class: failureClass, error } = failure as { class: string; error: { code: string; message: string } };
  return { class: failureClass, code: error.code, message: error.message };
}

interface RunFacts {
  quality: RunQuality;
  artifacts: ArtifactView[];
  version: DatasetVersionView | null;
  dataset: DatasetView | null;
  prior: PriorView | null;
}

async function runFacts(rows: ProjectCatalog, ids: readonly string[]): Promise<Map<string, RunFacts>> {
  if (ids.length === 0) return new Map();
  const runs = await rows.runsById(ids);
  const [measured, outputs, versions, priors] = await Promise.all([
    qualities(rows, runs),
    rows.artifactsByRun(ids, 'OUTPUT', ['syntheticDataset', 'report', DRIFT_REPORT]),
    rows.datasetVersionsById([...new Set(runs.map(({ datasetVersionId }) => datasetVersionId))]),
    rows.priorsById([...new Set(runs.map(({ priorId }) => priorId))]),
  ]);
  const versionOf = new Map(versions.map(({ askedId, version }) => [askedId, version]));
  const datasets = await rows.datasetsById([...new Set(versions.map(({ version }) => version.datasetId))]);
  const byRun = Map.groupBy(outputs, ({ runId }) => runId);
  return new Map(
    measured.map((quality) => {
      const { run } = quality;
      const version = versionOf.get(run.datasetVersionId) ?? null;
      return [
        run.id,
        {
          ...{ quality, version },
          artifacts: (byRun.get(run.id) ?? []).map(({ artifact }) => artifact),
          dataset: datasets.find(({ id }) => id === version?.datasetId) ?? null,
          prior: priors.find(({ id }) => id === run.priorId) ?? null,
        },
      ];
    }),
  );
}

function runData({ quality, version, dataset, prior, artifacts }: RunFacts): JsonObject {
  const { run, overall, images, costToMakeUsd } = quality;
  const time = (at: Date | null) => at?.toISOString() ?? null;
  const figure = (name: Exclude<keyof NonNullable<typeof overall>, 'classes'>) => overall?.[name] ?? null;
  return {
    run: {
      ...{ id: run.id, state: run.state, recipeDigest: run.recipeDigest, recipe: run.recipe },
      ...{ createdAt: time(run.createdAt), startedAt: time(run.startedAt), endedAt: time(run.endedAt) },
    },
    dataset: version && {
      ...{ id: version.datasetId, name: dataset?.name ?? null },
      version: { id: version.id, number: version.number, digest: version.digest, images: version.images },
    },
    prior: prior && { id: prior.id, name: prior.name, version: prior.version },
    // distances are in the latents of the prior; reductions are 1 - W2 / W2 of what they are against
    metrics: {
      ...{ images, classes: overall?.classes ?? null, w2: figure('w2Weighted'), heldoutW2: figure('heldoutW2') },
      ...{ w2Uniform: figure('w2Uniform'), w2Balanced: figure('w2Balanced'), w2D4m: figure('w2D4mMean') },
      ...{ reduction: figure('reduction'), reductionBalanced: figure('reductionBalanced') },
      ...{ reductionD4m: figure('reductionD4m'), ess: figure('ess'), distortion: figure('distortion') },
    },
    drift: driftData(artifacts),
    cost: { currency: CURRENCY, run: run.costUsd, made: costToMakeUsd },
  };
}

/** Of a drift run. */
function driftData(artifacts: readonly ArtifactView[]): JsonValue {
  const report = artifacts.find(({ kind }) => kind === DRIFT_REPORT);
  return report ? driftFigures(report).overall : null;
}

/** What a client sends to learn where all of it comes from. */
function lineageOf(runId: string, serviceUrl: string): JsonObject {
  const query = `query($node: ID!, $direction: LineageDirection!) { lineage(node: $node, direction: $direction, depth: 10, first: 100) { nodes { kind id depth } } }`;
  return { url: `${serviceUrl}/graphql`, query, variables: { node: runId, direction: 'UPSTREAM' } };
}

async function artifactData(
  artifacts: readonly ArtifactView[],
  projectId: string,
  store: BodyOptions['store'],
): Promise<JsonObject> {
  const told = await Promise.all(artifacts.map((artifact) => artifactOf(artifact, projectId, store)));
  const dataset = artifacts.findLast(({ kind, state }) => kind === 'syntheticDataset' && state !== 'DELETED');
  const files = told.find(({ id }) => id === dataset?.id)?.files ?? [];
  const table = files.find(({ name }) => name === TABLE);
  return {
    artifacts: told.map((one) => ({ ...one, files: one.files.map((file) => ({ ...file })) })),
    training:
      dataset && table
        ? {
            ...{ artifactId: dataset.id, format: 'parquet', ...table },
            // multiply the loss of each image by its weight; `load_dataset("parquet", data_files=url)` reads the rest
            ...{ imageColumn: 'image', labelColumn: 'label', weightsColumn: 'weight', softLabelsColumn: 'soft_label' },
          }
        : null,
  };
}

async function artifactOf(
  { id, kind, title, bytes, state, manifest }: ArtifactView,
  projectId: string,
  store: BodyOptions['store'],
) {
  const blobs = state === 'DELETED' ? [] : Object.entries(manifest.blobs);
  const files = blobs.map(async ([name, { sha256, bytes: size, mediaType }]) => ({
    ...{ name, sha256, bytes: size, mediaType },
    url: await store.signedUrl(blobKey(projectId, sha256), {
      ...{ expiresSeconds: URL_SECONDS, filename: name.split('/').at(-1)!, mediaType },
    }),
  }));
  return { ...{ id, kind, title, bytes, state }, files: await Promise.all(files) };
}
