import { type ClassType, Field, ObjectType } from 'type-graphql';
import { invalid, type PushforwardError } from '../base/errors.ts';
import { canonicalJson, sha256 } from '../base/json.ts';
import { type Page } from '../control/ports.ts';

export const MAX_PAGE = 100;

@ObjectType({ description: 'Where a page stands in its list.' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether rows follow this page.' })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether the page began after a cursor.' })
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: 'Cursor of the first row; null on an empty page.' })
  startCursor!: string | null;

  @Field(() => String, { nullable: true, description: 'Cursor of the last row: pass it as `after` for the next page.' })
  endCursor!: string | null;
}

export interface Connection<T> {
  edges: { cursor: string; node: T }[];
  nodes: T[];
  pageInfo: PageInfo;
}

/** The connection type of a node type, named `<name>Connection`. */
export function connectionType(name: string, node: () => ClassType): ClassType {
  @ObjectType(`${name}Edge`, { description: `A ${name} and its place in the list.` })
  class Edge {
    @Field(() => String, { description: 'Place of this row: rows after it are the next page.' })
    cursor!: string;

    @Field(() => node(), { description: 'The row.' })
    node!: unknown;
  }

  @ObjectType(`${name}Connection`, { description: `A page of ${name} rows. Rows added meanwhile never shift it.` })
  class TypedConnection {
    @Field(() => [Edge], { description: 'The rows with their cursors.' })
    edges!: Edge[];

    @Field(() => [node()], { description: 'The rows.' })
    nodes!: unknown[];

    @Field(() => PageInfo, { description: 'Where this page stands in the list.' })
    pageInfo!: PageInfo;
  }
  return TypedConnection;
}

export function toConnection<T>(
  kind: string,
  page: Page<T>,
  after: string | null,
  keyOf: (row: T) => string,
): Connection<T> {
  const edges = page.items.map((node) => ({ cursor: encodeCursor(kind, keyOf(node)), node }));
  return {
    edges,
    nodes: page.items,
    pageInfo: {
      hasNextPage: page.hasMore,
      hasPreviousPage: after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** @throws INVALID_INPUT for a length outside 1 to 100 */
export function checkFirst(first: number): number {
  if (first >= 1 && first <= MAX_PAGE) return first;
  throw invalid(`expected first from 1 to ${MAX_PAGE}, got ${first}: ask for a shorter page and go on with after`, {
    path: ['first'],
  });
}

/** The kind of a list that shows what `filter` chooses: its cursors are refused where another filter asks. */
export function filteredKind(kind: string, filter: object): string {
  const given = Object.entries(filter).filter(([, value]) => value !== null && value !== undefined);
  return given.length === 0 ? kind : `${kind}?${sha256(canonicalJson(Object.fromEntries(given))).slice(0, 16)}`;
}

/** @throws INVALID_INPUT for a cursor of another list, or of the same under another filter */
export function decodeCursor(kind: string, cursor: string | null | undefined): string | null {
  if (cursor === null || cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (text.startsWith(`${kind}:`)) return text.slice(kind.length + 1);
  const [list] = kind.split('?', 1);
  if (!text.startsWith(`${list}:`) && !text.startsWith(`${list}?`)) throw notOfThisList(cursor);
  throw invalid(
    `expected a cursor that this list gave for the same filter, got ${JSON.stringify(cursor)} of another: begin anew without after`,
    { path: ['after'] },
  );
}

/** The same where rows are told by a number, which is a 32-bit one. */
export function decodeNumber(kind: string, cursor: string | null | undefined): number | null {
  const key = decodeCursor(kind, cursor);
  if (key === null) return null;
  if (/^\d{1,10}$/.test(key) && Number(key) < 2 ** 31) return Number(key);
  throw notOfThisList(cursor!);
}

function notOfThisList(cursor: string): PushforwardError {
  return invalid(
    `expected a cursor that this list gave, got ${JSON.stringify(cursor)}: pass endCursor of the page before`,
    { path: ['after'] },
  );
}

const encodeCursor = (kind: string, key: string): string => Buffer.from(`${kind}:${key}`).toString('base64url');
