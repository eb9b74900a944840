import { PushforwardError } from '../../base/errors.ts';
import { rescue } from './artifact-writes.ts';
import { shareBytes } from './project-lock.ts';
import { type Tx } from './run-unit.ts';

/**
 * For whoever comes to hold an artifact in this transaction: its bytes are there and stay until the transaction has ended.
 * @returns false where there is no such artifact @throws ARTIFACT_DELETED
 */
export async function keepArtifact(
  tx: Tx,
  projectId: string,
  id: string,
  { purpose, path }: { purpose: string; path: string[] },
): Promise<boolean> {
  await shareBytes(tx, projectId);
  const found = await tx
    .selectFrom('artifacts')
    .select(['state', 'deleted_because'])
    .where('project_id', '=', projectId)
    .where('id', '=', id)
    .executeTakeFirst();
  if (!found) return false;
  if (found.state === 'DELETED') {
    throw new PushforwardError(
      'ARTIFACT_DELETED',
      `expected an artifact whose bytes are there, got ${id}, which was deleted (${found.deleted_because ?? 'by the retention policy'}): launch its run again, then ${purpose}`,
      { id, path },
    );
  }
  await rescue(tx, projectId, [id]);
  return true;
}
