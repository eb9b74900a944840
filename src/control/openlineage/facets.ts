import { type JsonObject, type JsonValue } from '../../base/json.ts';

/** Versions of the facets that are told, as the specification publishes them. Beside them those of schema/openlineage. */
const STANDARD = {
  DatasetTypeDatasetFacet: '1-0-1',
  DatasetVersionDatasetFacet: '1-0-1',
  DatasourceDatasetFacet: '1-0-1',
  DataQualityMetricsInputDatasetFacet: '1-0-3',
  ErrorMessageRunFacet: '1-0-1',
  ExecutionParametersRunFacet: '1-0-0',
  InputStatisticsInputDatasetFacet: '1-0-0',
  JobTypeJobFacet: '2-0-4',
  NominalTimeRunFacet: '1-0-1',
  OutputStatisticsOutputDatasetFacet: '1-0-2',
  ProcessingEngineRunFacet: '1-1-1',
  SchemaDatasetFacet: '1-2-0',
  StorageDatasetFacet: '1-0-1',
  SymlinksDatasetFacet: '1-0-1',
} as const;

const OWN = {
  PushforwardCostRunFacet: '1-0-0',
  PushforwardFailureRunFacet: '1-0-0',
  PushforwardProgressRunFacet: '1-0-0',
  PushforwardRunFacet: '1-0-0',
  PushforwardW2DatasetFacet: '1-0-0',
  PushforwardWeightsDatasetFacet: '1-0-0',
} as const;

export type FacetName = keyof typeof STANDARD | keyof typeof OWN;
export type MakeFacet = (name: FacetName, fields: JsonObject) => JsonObject;

/** No web address is ours: the schemas lie in schema/openlineage of each release, under these names. */
const schemaUrl = (name: FacetName): string =>
  name in OWN
    ? `urn:pushforward:openlineage:${OWN[name as keyof typeof OWN]}:${name}#/$defs/${name}`
    : `https://openlineage.io/spec/facets/${STANDARD[name as keyof typeof STANDARD]}/${name}.json#/$defs/${name}`;

export const EVENT_SCHEMA = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';

/** Facets say who made them, and by which schema. */
export function facetsOf(producer: string): MakeFacet {
  return (name, fields) => ({ _producer: producer, _schemaURL: schemaUrl(name), ...fields });
}

/** Leaves of a value by their paths: `quantizer.restarts`, `classes.0`. */
export function parametersOf(value: JsonValue, path = ''): { key: string; value: string }[] {
  if (value === null) return [];
  if (typeof value !== 'object') return [{ key: path, value: String(value) }];
  return Object.entries(value).flatMap(([key, inner]) => parametersOf(inner, path === '' ? key : `${path}.${key}`));
}
