import { type Principal } from './identity.ts';
import { type Catalog } from './ports.ts';
import { type ProjectView } from './views.ts';
import { wholeNumber } from './whole-number.ts';

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
  if (maxRunningTasks !== null) {
    wholeNumber(maxRunningTasks, {
      ...{ name: 'maxRunningTasks', from: 1, to: MOST, path: ['maxRunningTasks'] },
      remedy: 'change it, or leave it out for no limit',
    });
  }
  const rows = catalog.project(projectId);
  await rows.limitProject(maxRunningTasks);
  return await rows.about();
}
