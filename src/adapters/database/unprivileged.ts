import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { PushforwardError } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';

const run = promisify(execFile);

/** How to start a program as a user that PostgreSQL accepts: it refuses to run as root. */
export interface RunAs {
  /** Who has to own the cluster's files. Absent: the user of this process. */
  owner?: { uid: number; gid: number };
  /** What to execute for `program` with `args`, and the spawn options that go with it. */
  command(program: string, args: readonly string[]): Command;
}

interface Command {
  file: string;
  args: string[];
  options: { uid?: number; gid?: number; env: Environment };
}

/** The whole environment of what is started: where to find programs. */
export interface Environment extends NodeJS.ProcessEnv {
  PATH: string;
}

/** What the user has to reach: a program to execute and a folder to pass through. */
interface Reaches {
  program: string;
  folder: string;
}

/**
 * For root it is the user `postgres` where that user can reach what it needs. A root's folders are often its own (`/root`,
 * `mktemp -d`), with the programs and the cluster below them; there it is root itself under another name, in a user namespace of
 * its own. A cluster that is there already is served by whoever made it.
 *
 * @throws NOT_READY if neither is possible
 */
export async function unprivileged(reaches: Reaches, cluster: string, env: Environment, log: Log): Promise<RunAs> {
  if (process.getuid?.() !== 0) {
    return { command: (file, args) => ({ file, args: [...args], options: { env } }) };
  }
  const madeBy = await stat(cluster).then(
    (found) => found.uid,
    () => null,
  );
  if (madeBy !== 0) {
    const owner = await postgresUser(env, log);
    const options = { ...owner, env };
    if (await succeeds(reaches, (file, args) => ({ file, args, options }))) {
      return { owner, command: (file, args) => ({ file, args: [...args], options }) };
    }
  }
  if (madeBy !== null && madeBy !== 0) throw unreachable(reaches);
  const inNamespace = (program: string, args: readonly string[]): Command => ({
    file: 'unshare',
    args: ['--user', '--map-user=1000', '--map-group=1000', program, ...args],
    options: { env },
  });
  if (await succeeds(reaches, inNamespace)) return { command: inNamespace };
  throw unreachable(reaches);
}

async function succeeds(reaches: Reaches, command: (file: string, args: string[]) => Command): Promise<boolean> {
  const tries = [command(reaches.program, ['--version']), command('test', ['-x', reaches.folder])];
  return Promise.all(tries.map(({ file, args, options }) => run(file, args, options))).then(
    () => true,
    () => false,
  );
}

function unreachable({ program, folder }: Reaches): PushforwardError {
  return new PushforwardError(
    'NOT_READY',
    `expected the user postgres to reach ${program} and ${folder}, since PostgreSQL refuses to run as root, got a folder on the way ` +
      'that is closed to it: open it (chmod o+x), run as another user than root, or set DATABASE_URL',
    { program, folder },
  );
}

/** The user `postgres`, made if the system has none. */
async function postgresUser(env: Environment, log: Log): Promise<{ uid: number; gid: number }> {
  const find = async () => ({
    uid: Number((await run('id', ['-u', 'postgres'], { env })).stdout),
    gid: Number((await run('id', ['-g', 'postgres'], { env })).stdout),
  });
  try {
    return await find();
  } catch {
    log.info('creating the system user postgres, since PostgreSQL refuses to run as root');
  }
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { env });
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
