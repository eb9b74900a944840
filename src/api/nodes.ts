import { type Loaders } from './loaders.ts';

const LOADERS = {
  Run: 'run',
  DatasetVersion: 'datasetVersion',
  Dataset: 'dataset',
  Prior: 'prior',
  Artifact: 'artifact',
  Upload: 'upload',
  UpstreamVersion: 'upstreamVersion',
  AliasVersion: 'aliasVersion',
  Trigger: 'trigger',
  TriggerEvaluation: 'triggerEvaluation',
} as const;

/** The types that are asked for by their id, see `Node`. */
export type NodeType = keyof typeof LOADERS;
export const NODE_TYPES = Object.keys(LOADERS) as NodeType[];

/** An object with its type, as the interface `Node` tells it; null where there is none with this id. */
export async function loadNode(
  type: NodeType,
  id: string,
  loaders: Loaders,
): Promise<{ id: string; __typename: NodeType } | null> {
  const found = await loaders[LOADERS[type]].load(id);
  return found && { ...found, __typename: type };
}

/** An object whose type only its id tells. */
export async function findNode(id: string, loaders: Loaders): Promise<object | null> {
  const found = await Promise.all(NODE_TYPES.map((type) => loadNode(type, id, loaders)));
  return found.find((node) => node !== null) ?? null;
}
