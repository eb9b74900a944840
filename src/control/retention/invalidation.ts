import { invalid, notFound, type PushforwardError } from '../../base/errors.ts';
import { deleteCondemned } from './deletion.ts';
import { type PassOptions } from './pass.ts';
import { type Held, type Tally } from './rows.ts';

/** Deletes the bytes of these artifacts, decision first, deed after: one that dies in between is ended by the next pass. */
export async function invalidateArtifacts(
  of: Pick<PassOptions, 'retention' | 'store' | 'clock'>,
  projectId: string,
  ids: readonly string[],
  because: string,
  signal: AbortSignal,
): Promise<Tally> {
  const rows = of.retention.project(projectId);
  const decided = await rows.invalidate(ids, because, of.clock.now());
  if ('held' in decided) throw refusal(decided.held);
  await deleteCondemned({ ...of, rows }, decided, signal);
  return { artifacts: decided.artifacts, bytes: decided.bytes };
}

function refusal({ artifactId, by }: Held): PushforwardError {
  switch (by) {
    case 'NOBODY_KNOWS':
      return notFound('artifact', artifactId);
    case 'PIN':
      return needed(artifactId, 'one that is pinned: take the pin away first');
    case 'ALIAS':
      return needed(artifactId, 'one that an alias stands for, or would go back to: promote others first');
    case 'SOURCE':
      return needed(artifactId, 'one that was imported or registered, which no run makes again: name what runs made');
    case 'RUN':
      return needed(artifactId, 'one that a run under way needs: wait until it has ended, or cancel it');
  }
}

function needed(artifactId: string, got: string): PushforwardError {
  return invalid(`expected artifacts that nobody needs now, got ${artifactId}, ${got}`, { artifactId, path: ['ids'] });
}
