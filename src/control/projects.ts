import { invalid } from '../base/errors.ts';
import { type Principal } from './identity.ts';
import { type Catalog } from './ports.ts';
import { type ProjectView } from './views.ts';

const MOST = 100_000;

/**
 * How many tasks of the project may run at once; those that run go on.
 * @param maxRunningTasks null: as many as there are slots
 */
export async function limitProject(
  { catalog }: { catalog: Catalog },
  { projectId }: Principal,
  maxRunningTasks: number | null,
): Promise<ProjectView> {
  if (
    maxRunningTasks !== null &&
    !(Number.isInteger(maxRunningTasks) && maxRunningTasks >= 1 && maxRunningTasks <= MOST)
  ) {
    throw invalid(
      `expected maxRunningTasks to be a whole number from 1 to ${MOST}, got ${maxRunningTasks}: change it, or leave it out for no limit`,
      { path: ['maxRunningTasks'] },
    );
  }
  const rows = catalog.project(projectId);
  await rows.limitProject(maxRunningTasks);
  return await rows.about();
}
