import { invalid, PushforwardError } from '../base/errors.ts';
import { byCodeUnit } from '../base/order.ts';
import {
  type AliasVersionView,
  type ArtifactView,
  type LineageDirection,
  type LineageEdge,
  type LineageKey,
  type LineageNode,
  type Page,
  type PageRequest,
  type ProjectCatalog,
} from './ports.ts';
import { wholeNumber } from './whole-number.ts';

export interface LineageRequest {
  from: LineageKey;
  direction: LineageDirection;
  /** Steps away from the node that it starts at, at most. */
  depth: number;
}

const MAX_DEPTH = 100;
/** A walk keeps what it has seen, so that a cycle ends and nothing comes twice. */
const MAX_WALK = 100_000;
/** Nodes that are asked about at once: few, since the first page of a walk needs few. */
const SOURCES = 64;
const EDGES = 512;

/**
 * The nodes that lie upstream or downstream, nearest first: breadth first, those of one node in the order of their kind and id.
 * The node that it starts at is not among them.
 *
 * `after` is a `lineageKey`. A page walks again up to it: what was added meanwhile neither shifts a page nor comes twice.
 * @throws INVALID_INPUT for a depth outside 1 to 100 and for a cursor that this walk does not meet; LIMIT_EXCEEDED past 100,000 nodes
 */
export async function lineagePage(
  rows: Pick<ProjectCatalog, 'lineageEdges'>,
  request: LineageRequest,
  page: PageRequest,
): Promise<Page<LineageNode>> {
  const depth = wholeNumber(request.depth, {
    ...{ name: 'depth', from: 1, to: MAX_DEPTH, path: ['depth'] },
    remedy: 'ask again from the last node for what lies further',
  });
  const items: LineageNode[] = [];
  let begun = page.after === null;
  for await (const node of lineageWalk(rows, { ...request, depth })) {
    if (begun) items.push(node);
    else begun = lineageKey(node) === page.after;
    if (items.length > page.first) return { items: items.slice(0, page.first), hasMore: true };
  }
  if (begun) return { items, hasMore: false };
  throw invalid('expected a cursor of this walk, got one that it does not meet: begin without after', {
    path: ['after'],
  });
}

export const lineageKey = ({ kind, id }: LineageKey): string => `${kind}:${id}`;

/** All that can be reached, see `lineagePage`. */
export async function* lineageWalk(
  rows: Pick<ProjectCatalog, 'lineageEdges'>,
  { from, direction, depth }: LineageRequest,
): AsyncGenerator<LineageNode, void> {
  const seen = new Set([lineageKey(from)]);
  let level: LineageKey[] = [from];
  for (let away = 1; away <= depth && level.length > 0; away++) {
    const next: LineageKey[] = [];
    for await (const { to } of edgesOf(rows, level, direction)) {
      const key = lineageKey(to);
      if (seen.has(key)) continue;
      if (seen.size > MAX_WALK) throw tooMany(from, direction);
      seen.add(key);
      next.push(to);
      yield { ...to, depth: away };
    }
    level = next;
  }
}

/** Of all these nodes, in their order. */
async function* edgesOf(
  rows: Pick<ProjectCatalog, 'lineageEdges'>,
  sources: readonly LineageKey[],
  direction: LineageDirection,
): AsyncGenerator<LineageEdge, void> {
  let first = 0;
  let after: LineageKey | null = null;
  while (first < sources.length) {
    const asked = sources.slice(first, first + SOURCES);
    const edges = await rows.lineageEdges({ sources: asked, direction, after, first: EDGES, perSource: EDGES });
    yield* edges;
    const last = edges.length === EDGES ? edges.at(-1)! : null;
    first += last ? last.source : asked.length;
    after = last && last.to;
  }
}

function tooMany({ id }: LineageKey, direction: LineageDirection): PushforwardError {
  return new PushforwardError(
    'LIMIT_EXCEEDED',
    `expected at most ${MAX_WALK} nodes ${direction.toLowerCase()} of ${id}, found more: ask with a smaller depth, or from a node that is nearer to what you look for`,
    { path: ['depth'] },
  );
}

/** What would have to be made anew, or be withdrawn, were a dataset version found to be wrong. */
export interface Impact {
  datasetVersionId: string;
  runs: number;
  artifacts: number;
  /** Newest first. */
  syntheticDatasets: ArtifactView[];
  /** Aliases that stand for one of them now. */
  aliases: AliasVersionView[];
  /** Whether that is all: it is not where more than 100,000 nodes lie downstream. */
  complete: boolean;
}

export async function impactOf(
  rows: Pick<ProjectCatalog, 'lineageEdges' | 'artifactsById' | 'aliasesOfArtifacts'>,
  datasetVersionId: string,
): Promise<Impact> {
  const ids: Record<LineageNode['kind'], string[]> = {
    ...{ ALIAS_VERSION: [], ARTIFACT: [], DATASET_VERSION: [], PRIOR: [], RUN: [], UPSTREAM_VERSION: [] },
    TRIGGER_EVALUATION: [],
  };
  const request = {
    from: { kind: 'DATASET_VERSION' as const, id: datasetVersionId },
    direction: 'DOWNSTREAM' as const,
  };
  let complete = true;
  try {
    for await (const { kind, id } of lineageWalk(rows, { ...request, depth: Infinity })) ids[kind].push(id);
  } catch (error) {
    if (!(error instanceof PushforwardError && error.code === 'LIMIT_EXCEEDED')) throw error;
    complete = false;
  }
  const syntheticDatasets = await rows.artifactsById(ids.ARTIFACT, ['syntheticDataset']);
  syntheticDatasets.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || byCodeUnit(b.id, a.id));
  const aliases = await rows.aliasesOfArtifacts(syntheticDatasets.map(({ id }) => id));
  const { length: runs } = ids.RUN;
  return { datasetVersionId, runs, artifacts: ids.ARTIFACT.length, syntheticDatasets, aliases, complete };
}
