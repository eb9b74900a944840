import { execFile, spawnSync } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const PACKAGES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
};

export type Binaries = Record<keyof typeof PACKAGES, string>;

const goMissing = spawnSync('go', ['version']).status !== 0;

/** The programs of a control plane: those on the PATH, or built by Go; null, with a line that says so, where neither is. */
export async function findBinaries(): Promise<Binaries | null> {
  const found: Partial<Binaries> = {};
  for (const name of Object.keys(PACKAGES) as (keyof Binaries)[]) {
    const path = (await onPath(name)) ?? (goMissing ? null : await built(name));
    if (path === null) {
      process.stderr.write(
        `Neither ${name} nor Go is installed: the tests against a real Kubernetes API are skipped.\n`,
      );
      return null;
    }
    found[name] = path;
  }
  return found as Binaries;
}

/**
 * Kept outside the project, by the version that go.mod beside this file names: on two cores the first build takes about ten
 * minutes and three gigabytes of Go's cache.
 */
async function built(name: keyof Binaries): Promise<string> {
  const module = await readFile(join(import.meta.dirname, 'go.mod'), 'utf8');
  const version = /^\s+k8s\.io\/kubernetes (v\S+)/m.exec(module)?.[1] ?? /k8s\.io\/kubernetes (v\S+)/.exec(module)![1]!;
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'pushforward', `kube-${version}`);
  const binary = join(folder, name);
  if (await exists(binary)) return binary;
  await mkdir(folder, { recursive: true });
  process.stderr.write(`building ${name} ${version}; the first time this takes minutes\n`);
  // Built aside: whoever sees the file sees it whole.
  const aside = await mkdtemp(join(folder, 'build-'));
  await promisify(execFile)(
    'go',
    ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', join(aside, name), PACKAGES[name]],
    { cwd: import.meta.dirname, env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '' } },
  );
  await rename(join(aside, name), binary);
  await rm(aside, { recursive: true });
  return binary;
}

async function onPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await exists(join(folder, name)))) return join(folder, name);
  }
  return null;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
