import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './service-process.ts';

export interface PythonWanted {
  /** Pinned packages of PyPI, a line each as in a requirements file. */
  requirements: readonly string[];
  /**
   * Modules that the Python of the machine brings, because PyPI has no small build of them, and the Debian packages that
   * have them. On Debian as root, missing ones are installed.
   */
  system?: { modules: readonly string[]; debian: readonly string[] };
}

/** The interpreter of a virtual environment with all that is wanted, or what to install first. */
export type PythonFound = { python: string; missing: null } | { python: null; missing: string };

/**
 * Makes the virtual environment, or finds it made before. Not for several processes at once.
 * @throws where a package cannot be installed
 */
export async function pythonEnvironment({ requirements, system }: PythonWanted): Promise<PythonFound> {
  const modules = system?.modules ?? [];
  const base = (await pythonWith(modules)) ?? (await installed(system?.debian ?? [], modules));
  if (!base) {
    const debian = ['python3-venv', ...(system?.debian ?? [])].join(' ');
    return {
      python: null,
      missing: `a Python with ${['venv', ...modules].join(', ')} (Debian: apt install ${debian})`,
    };
  }
  const recipe = [base, ...modules, ...requirements].join('\n');
  const name = `python-${createHash('sha256').update(recipe).digest('hex').slice(0, 12)}`;
  const folder = join(ROOT, 'node_modules/.cache', name);
  const python = join(folder, 'bin/python');
  const list = join(folder, 'requirements.txt');
  // The list is written last: an environment without it was cut off on the way.
  if ((await readFile(list, 'utf8').catch(() => null)) === recipe) return { python, missing: null };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await run(base, ['-m', 'venv', ...(system ? ['--system-site-packages'] : []), folder]);
  if (requirements.length > 0) await run(python, ['-m', 'pip', 'install', '--quiet', ...requirements]);
  await writeFile(list, recipe);
  return { python, missing: null };
}

/** The first Python that can make virtual environments and has the modules. */
async function pythonWith(modules: readonly string[]): Promise<string | null> {
  for (const python of ['python3', '/usr/bin/python3']) {
    const found = await run(python, [
      '-c',
      ['venv', 'ensurepip', ...modules].map((name) => `import ${name}`).join('\n'),
    ]).then(
      () => true,
      () => false,
    );
    if (found) return python;
  }
  return null;
}

async function installed(packages: readonly string[], modules: readonly string[]): Promise<string | null> {
  const debian = await run('apt-get', ['--version']).then(
    () => true,
    () => false,
  );
  if (!debian || process.getuid?.() !== 0) return null;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-q'], env);
  await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'python3-venv', ...packages], env);
  return await pythonWith(modules);
}

const run = async (program: string, args: readonly string[], env = process.env) =>
  await promisify(execFile)(program, [...args], { env, maxBuffer: 64 * 1024 * 1024 });
