import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { skippedWithout } from './needed.ts';
import { ROOT } from './service-process.ts';

/** For `describe.skipIf`: some servers and tools that the tests use are Go modules. */
export const goMissing = spawnSync('go', ['version']).status !== 0;

/** Says once per file for what Go is missing. @throws in CI */
export function sayIfGoMissing(what: string): void {
  skippedWithout(goMissing ? `Go, for ${what}` : null);
}

export interface GoProgram {
  /** Of the program, and of the folder that it is kept in. */
  name: string;
  /** What it is built from, versions included: another recipe is another program. */
  recipe: string;
  /** Where programs are kept; default: in the project, with its packages. */
  folder?: string;
  /** Arguments of `go`, which puts the program into a folder. */
  build: (into: string) => { args: string[]; env?: Record<string, string>; cwd?: string };
}

/** Builds the program, or finds it built before. @returns its path */
export async function goProgram({ name, recipe, folder = CACHE, build }: GoProgram): Promise<string> {
  const digest = createHash('sha256').update(recipe).digest('hex').slice(0, 12);
  const program = join(folder, `${name}-${digest}`, name);
  if (await exists(program)) return program;
  process.stderr.write(`building ${name}\n`);
  await mkdir(dirname(program), { recursive: true });
  // Several test files may build at once: each builds aside, and the last to finish gives its file the name.
  const aside = await mkdtemp(join(dirname(program), 'build-'));
  const { args, env, cwd } = build(aside);
  await promisify(execFile)('go', args, { env: { ...process.env, ...env }, cwd, maxBuffer: 1 << 26 });
  await rename(join(aside, name), program);
  await rm(aside, { recursive: true });
  return program;
}

const CACHE = join(ROOT, 'node_modules/.cache');

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Folder of a module's sources. */
export async function goModule(path: string, version: string): Promise<string> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', `${path}@${version}`]);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
