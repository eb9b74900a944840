import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { goProgram } from '../go.ts';

/** The tools of go.mod beside this file, as their users run them. Each is built once, which takes minutes. */
export const helm = () => tool('helm', 'helm.sh/helm/v4/cmd/helm');
export const kubeconform = () => tool('kubeconform', 'github.com/yannh/kubeconform/cmd/kubeconform');
/** Compose files as the library of `docker compose` reads them: prints the whole model, or what is wrong. */
export const composeSpec = () => tool('compose-spec', './compose');
export const oauth2Proxy = () => tool('oauth2-proxy', 'github.com/oauth2-proxy/oauth2-proxy/v7');

/** Output of a program, or its complaint as an error. */
export async function run(program: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  try {
    return (await promisify(execFile)(program, args, { maxBuffer: 1 << 26, ...options })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${stdout ?? ''}${stderr ?? String(error)}`, { cause: error });
  }
}

const FOLDER = import.meta.dirname;

function tool(name: string, path: string): Promise<string> {
  const versions = readFileSync(join(FOLDER, 'go.mod'), 'utf8');
  return goProgram({
    name,
    recipe: [path, versions, path.startsWith('.') ? readFileSync(join(FOLDER, path, 'main.go'), 'utf8') : ''].join(
      '\n',
    ),
    build: (into) => ({
      args: ['build', '-buildvcs=false', '-o', join(into, name), path],
      env: { CGO_ENABLED: '0' },
      cwd: FOLDER,
    }),
  });
}
