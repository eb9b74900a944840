import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { exists, goMissing, goProgram } from '../go.ts';
import { skippedWithout } from '../needed.ts';

const PACKAGES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
};

export type Binaries = Record<keyof typeof PACKAGES, string>;

/** The programs of a control plane: those on the PATH, or built by Go; null, with a line that says so, where neither is. */
export async function findBinaries(): Promise<Binaries | null> {
  const found: Partial<Binaries> = {};
  for (const name of Object.keys(PACKAGES) as (keyof Binaries)[]) {
    const path = (await onPath(name)) ?? (goMissing ? null : await built(name));
    if (path === null) {
      skippedWithout(`${name}, or Go to build it`);
      return null;
    }
    found[name] = path;
  }
  return found as Binaries;
}

/**
 * Kept outside the project: on two cores the first build takes about ten minutes and three gigabytes of Go's cache. What is
 * built, and of which version, is all in go.mod beside this file.
 */
async function built(name: keyof Binaries): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return await goProgram({
    name,
    recipe: await readFile(join(import.meta.dirname, 'go.mod'), 'utf8'),
    folder: join(cache, 'pushforward'),
    build: (into) => ({
      args: ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', join(into, name), PACKAGES[name]],
      env: { CGO_ENABLED: '0', GOFLAGS: '' },
      cwd: import.meta.dirname,
    }),
  });
}

async function onPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await exists(join(folder, name)))) return join(folder, name);
  }
  return null;
}
