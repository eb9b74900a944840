import { type JsonObject } from '../../base/json.ts';

import { type ClassFigures, overallFigures } from '../figures.ts';
import { type MakeFacet } from './facets.ts';
import { type RunFacts, type RunResults, TABLE } from './facts.ts';
import { datasetName, uriOf } from './names.ts';

export interface Naming {
  /** Of jobs, and of names that stay while places change. */
  namespace: string;
  facet: MakeFacet;
}

/** A class more makes an event longer; receivers refuse long ones. */
const MOST_CLASSES = 1000;

/** The dataset version and the prior that a run reads. */
export function inputsOf(facts: RunFacts, naming: Naming): JsonObject[] {
  return [versionInput(facts, naming), priorInput(facts, naming)];
}

function versionInput(facts: RunFacts, { namespace, facet }: Naming): JsonObject {
  const { version, content, dataset, projectId, versionPlace, run } = facts;
  const all = version.classes ?? [];
  const asked = run.recipe['classes'] as string[] | undefined;
  const taken = asked ? all.filter(({ name }) => asked.includes(name)) : all;
  const whole = taken.length === all.length;
  const rows = taken.reduce((sum, { images }) => sum + images, 0);
  return {
    ...datasetName(versionPlace),
    facets: {
      version: facet('DatasetVersionDatasetFacet', { datasetVersion: version.digest ?? version.id }),
      schema: facet('SchemaDatasetFacet', {
        fields: [
          { name: 'image', type: 'binary' },
          { name: 'label', type: 'string', description: 'name of its class' },
        ],
      }),
      dataSource: facet('DatasourceDatasetFacet', { name: dataset, uri: uriOf(versionPlace) }),
      datasetType: facet('DatasetTypeDatasetFacet', { datasetType: 'FILE' }),
      storage: facet('StorageDatasetFacet', {
        storageLayer: layerOf(versionPlace),
        ...(content?.format === 'parquet' && { fileFormat: 'parquet' }),
      }),
      symlinks: facet('SymlinksDatasetFacet', {
        identifiers: [{ namespace, name: `${projectId}.${dataset}`, type: 'DATASET' }],
      }),
    },
    inputFacets: {
      inputStatistics: facet('InputStatisticsInputDatasetFacet', {
        rowCount: rows,
        ...(whole && content && { size: content.bytes }),
      }),
      ...(content && { dataQualityMetrics: facet('DataQualityMetricsInputDatasetFacet', qualityOf(content)) }),
    },
  };
}

/** Of the whole version. */
function qualityOf({ images, bytes, classes, duplicates }: NonNullable<RunFacts['content']>): JsonObject {
  const distinct = images - duplicates.withinClass - duplicates.acrossClasses;
  return {
    rowCount: images,
    bytes,
    columnMetrics: {
      image: { count: images, nullCount: 0, distinctCount: distinct },
      label: { count: images, nullCount: 0, distinctCount: classes.length },
    },
  };
}

function priorInput({ prior, priorPlace, projectId }: RunFacts, { namespace, facet }: Naming): JsonObject {
  return {
    ...datasetName(priorPlace),
    facets: {
      version: facet('DatasetVersionDatasetFacet', { datasetVersion: prior.digest }),
      dataSource: facet('DatasourceDatasetFacet', { name: `${prior.name} ${prior.version}`, uri: uriOf(priorPlace) }),
      datasetType: facet('DatasetTypeDatasetFacet', { datasetType: 'MODEL' }),
      symlinks: facet('SymlinksDatasetFacet', {
        identifiers: [{ namespace, name: `${projectId}.prior.${prior.name}`, type: 'MODEL' }],
      }),
    },
  };
}

/** The synthetic dataset, as the table that is trained from. */
export function outputsOf(facts: RunFacts, { synthetic, classes }: RunResults, naming: Naming): JsonObject[] {
  if (!synthetic) return [];
  const { facet, namespace } = naming;
  const { artifact, place } = synthetic;
  const { dataset, projectId } = facts;
  return [
    {
      ...datasetName(place),
      facets: {
        version: facet('DatasetVersionDatasetFacet', { datasetVersion: artifact.id }),
        schema: facet('SchemaDatasetFacet', { fields: COLUMNS }),
        dataSource: facet('DatasourceDatasetFacet', { name: `${dataset} synthetic`, uri: uriOf(place) }),
        datasetType: facet('DatasetTypeDatasetFacet', { datasetType: 'FILE' }),
        storage: facet('StorageDatasetFacet', { storageLayer: layerOf(place), fileFormat: 'parquet' }),
        symlinks: facet('SymlinksDatasetFacet', {
          identifiers: [{ namespace, name: `${projectId}.synthetic.${dataset}`, type: 'DATASET' }],
        }),
        ...(classes.length > 0 && { pushforward_w2: facet('PushforwardW2DatasetFacet', distancesOf(classes)) }),
        pushforward_weights: facet('PushforwardWeightsDatasetFacet', weightsOf(facts, classes)),
      },
      outputFacets: {
        outputStatistics: facet('OutputStatisticsOutputDatasetFacet', {
          rowCount: artifact.manifest.metrics['images']!,
          size: artifact.manifest.blobs[TABLE]!.bytes,
          fileCount: 1,
        }),
      },
    },
  ];
}

/** Of the table; see adapters/images/parquet.ts. */
const COLUMNS: JsonObject[] = [
  {
    name: 'image',
    type: 'struct',
    fields: [
      { name: 'bytes', type: 'binary' },
      { name: 'path', type: 'string' },
    ],
  },
  { name: 'label', type: 'int64' },
  { name: 'weight', type: 'float32' },
  { name: 'soft_label', type: 'list<float32>' },
  { name: 'class', type: 'string' },
  { name: 'point', type: 'int32' },
  { name: 'cell_count', type: 'int32' },
];

const DISTANCES = [
  'w2Weighted',
  'w2Uniform',
  'w2Balanced',
  'w2D4mMean',
  'w2Decoded',
  'w2Refit',
  'heldoutW2',
  'distortion',
  'reduction',
  'reductionBalanced',
  'reductionD4m',
] as const;

function distancesOf(classes: readonly ClassFigures[]): JsonObject {
  const told = classes.slice(0, MOST_CLASSES);
  return {
    classCount: classes.length,
    mean: known(overallFigures(classes)!, DISTANCES),
    classes: told.map((one) => ({ name: one.className, ...known(one, ['n', 'k', ...DISTANCES]) })),
  };
}

function weightsOf({ run }: RunFacts, classes: readonly ClassFigures[]): JsonObject {
  const weights = run.recipe['weights'] as JsonObject;
  const refit = weights['refit'] === true;
  const ess = refit ? 'essRefit' : 'ess';
  const overall = overallFigures(classes)?.[ess] ?? null;
  return {
    ...weights,
    ...(overall !== null && { effectivePointsPerClass: overall }),
    classes: classes.slice(0, MOST_CLASSES).flatMap((one) => {
      const points = one[ess];
      return points === null ? [] : [{ name: one.className, points: one.k, effectivePoints: points }];
    }),
  };
}

/** What was not measured is left out. */
function known<K extends string>(of: Record<K, number | null>, names: readonly K[]): Record<string, number> {
  return Object.fromEntries(names.flatMap((name) => (of[name] === null ? [] : [[name, of[name] as number]])));
}

const layerOf = (place: string): string => (place.startsWith('s3://') ? 's3' : 'file');
