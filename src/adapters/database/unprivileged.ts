import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PushforwardError } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';

const run = promisify(execFile);

/** How to start a program as a user that PostgreSQL accepts: it refuses to run as root. */
export interface RunAs {
  /** Absent: the user of this process. */
  owner?: { uid: number; gid: number };
  /** What to execute for `program` with `args`, and the spawn options that go with it. */
  command(
    program: string,
    args: readonly string[],
  ): { file: string; args: string[]; options: { uid?: number; gid?: number } };
}

/** @param reaches program that the user has to execute, and folder that it has to pass through */
export async function unprivileged(reaches: { program: string; folder: string }, log: Log): Promise<RunAs> {
  if (process.getuid?.() !== 0) {
    return { command: (file, args) => ({ file, args: [...args], options: {} }) };
  }
  const owner = await postgresUser(log);
  if ((await canReach(owner, reaches)) || !(await hasSetpriv())) {
    return { owner, command: (file, args) => ({ file, args: [...args], options: owner }) };
  }
  return { owner, command: (program, args) => withSearch(owner, program, args) };
}

/**
 * A root's folders are often its own (`/root`, `mktemp -d`), and both the programs and the cluster may lie below one. So the
 * user keeps one capability of root's: to pass through and read folders whatever their mode.
 */
function withSearch({ uid, gid }: { uid: number; gid: number }, program: string, args: readonly string[]) {
  const keep = '+dac_read_search';
  const drop = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', `--inh-caps=${keep}`, `--ambient-caps=${keep}`];
  return { file: 'setpriv', args: [...drop, program, ...args], options: {} };
}

async function canReach(owner: { uid: number; gid: number }, { program, folder }: { program: string; folder: string }) {
  const tries = [run(program, ['--version'], owner), run('test', ['-x', folder], owner)];
  return Promise.all(tries).then(
    () => true,
    () => false,
  );
}

/** Of util-linux; containers may lack it, or the capability itself. */
async function hasSetpriv(): Promise<boolean> {
  const keep = '+dac_read_search';
  return run('setpriv', [
    '--reuid=65534',
    '--clear-groups',
    `--inh-caps=${keep}`,
    `--ambient-caps=${keep}`,
    'true',
  ]).then(
    () => true,
    () => false,
  );
}

/** The user `postgres`, made if the system has none. */
async function postgresUser(log: Log): Promise<{ uid: number; gid: number }> {
  const find = async () => ({
    uid: Number((await run('id', ['-u', 'postgres'])).stdout),
    gid: Number((await run('id', ['-g', 'postgres'])).stdout),
  });
  try {
    return await find();
  } catch {
    log.info('creating the system user postgres, since PostgreSQL refuses to run as root');
  }
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']);
    return await find();
  } catch (cause) {
    throw new PushforwardError(
      'NOT_READY',
      'expected a system user postgres to run PostgreSQL as, got none and useradd failed: create it, run as another user than root, or set DATABASE_URL',
      {},
      { cause },
    );
  }
}
