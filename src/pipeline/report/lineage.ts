import { type Published } from '../../engine/ports.ts';

/** What came from what, stage by stage. A type, so that it is a JsonObject. */
export type LineageGraph = {
  nodes: LineageNode[];
  /** [from, to] keys, without those that a longer way implies. */
  edges: [string, string][];
};

export type LineageNode = {
  /** `datasetVersion`, `prior`, a stage, `dataset` or `page`. */
  key: string;
  /** Artifacts that it stands for. */
  artifacts: number;
  /**
   * The artifact, where it is one that is there already. Null for inputs: the artifact of a dataset version differs with where its
   * images lie, and the page of the same images does not.
   */
  id: string | null;
};

/**
 * @param inputs artifact ids by role
 * @param outputs what is about to be made, and the artifacts that it reads
 */
export function lineageOf(
  inputs: Readonly<Record<string, string>>,
  published: ReadonlyMap<string, readonly Published[]>,
  outputs: Readonly<Record<string, readonly string[]>>,
): LineageGraph {
  const keys = new Map(Object.entries(inputs).map(([role, id]) => [id, role]));
  const nodes = Object.keys(inputs).map((key): LineageNode => ({ key, artifacts: 1, id: null }));
  const edges = new Map<string, Set<string>>();
  const add = (key: string, from: readonly string[]) => {
    const known = edges.get(key) ?? new Set();
    for (const id of from) if (keys.has(id) && keys.get(id) !== key) known.add(keys.get(id)!);
    edges.set(key, known);
  };
  for (const [stage, tasks] of published) {
    if (tasks.length === 0) continue;
    nodes.push({ key: stage, artifacts: tasks.length, id: tasks.length === 1 ? tasks[0]!.manifest.id : null });
    for (const { manifest } of tasks) keys.set(manifest.id, stage);
    // Of this run: what was found names the version that it was first made for.
    for (const { task } of tasks) add(stage, task.inputs);
  }
  for (const [key, from] of Object.entries(outputs)) {
    nodes.push({ key, artifacts: 1, id: null });
    add(key, from);
  }
  return { nodes, edges: reduced(edges) };
}

/** @param sources of each key; nothing comes from itself, by whatever way */
function reduced(sources: ReadonlyMap<string, ReadonlySet<string>>): [string, string][] {
  const upstream = new Map<string, Set<string>>();
  const above = (key: string): Set<string> => {
    const known = upstream.get(key);
    if (known) return known;
    const found = new Set<string>();
    for (const source of sources.get(key) ?? []) for (const one of [source, ...above(source)]) found.add(one);
    upstream.set(key, found);
    return found;
  };
  return [...sources].flatMap(([to, from]) =>
    [...from]
      .filter((source) => ![...from].some((other) => other !== source && above(other).has(source)))
      .map((source): [string, string] => [source, to]),
  );
}
