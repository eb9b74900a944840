import { type RawBuilder, sql } from 'kysely';

/**
 * Newest first, cut by key: rows older than the one with this id. The key is read from the row itself, because a
 * client's copy of `created_at` has milliseconds where the column has microseconds.
 */
export function olderThan(
  table:
    | 'datasets'
    | 'priors'
    | 'project_events'
    | 'runs'
    | 'trigger_evaluations'
    | 'triggers'
    | 'uploads'
    | 'upstream_versions'
    | 'webhook_deliveries'
    | 'webhooks',
  projectId: string,
  id: string,
): RawBuilder<boolean> {
  return sql<boolean>`(created_at, id) < (
    select created_at, id from ${sql.table(table)} where project_id = ${projectId} and id = ${id}
  )`;
}

/** One row more than asked for says whether there are more. */
export function toPage<Row, View>(rows: Row[], first: number, toView: (row: Row) => View) {
  return { items: rows.slice(0, first).map(toView), hasMore: rows.length > first };
}
