/** Prometheus as Debian has it. As root on Debian it is installed where it is missing. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from './free-port.ts';
import { ROOT } from './service-process.ts';

const there = () =>
  spawnSync('promtool', ['--version']).status === 0 && spawnSync('prometheus', ['--version']).status === 0;

function installed(): boolean {
  if (there()) return true;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', ['update', '-q'], { env, stdio: 'ignore' });
  execFileSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'prometheus'], { env, stdio: 'ignore' });
  return there();
}

/** For `skippedWithout`. */
export const promtoolMissing: string | null = installed() ? null : 'Prometheus (Debian: apt install prometheus)';

/** What promtool has to say of it; nothing where all is well. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = spawn('promtool', args);
  child.stdin.end(input);
  const [out, complaints, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((done) => child.once('close', done)),
  ]);
  return code === 0 ? '' : out + complaints;
}

/** A Prometheus that scrapes an address every second, its data in a folder. */
export async function startPrometheus(folder: string, target: string) {
  const config = join(folder, 'prometheus.yml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      rule_files: [join(ROOT, 'deploy/grafana/alerts.yaml')],
      scrape_configs: [{ job_name: 'pushforward', static_configs: [{ targets: [target] }] }],
    }),
  );
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const gone = new Promise((done) => child.once('exit', done));
  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => null);
    return answer?.ok ? ((await answer.json()) as { data: unknown }).data : null;
  };
  return {
    /** Values by the series' labels in the order of Prometheus; null while it does not answer. */
    async query(expression: string): Promise<{ metric: Record<string, string>; value: [number, string] }[] | null> {
      const data = (await get(`query?query=${encodeURIComponent(expression)}`)) as { result: never[] } | null;
      return data?.result ?? null;
    },
    /** Names of the rules that it loaded. */
    async rules(): Promise<string[] | null> {
      const data = (await get('rules')) as { groups: { rules: { name: string }[] }[] } | null;
      return data?.groups.flatMap(({ rules }) => rules.map(({ name }) => name)) ?? null;
    },
    async end() {
      child.kill();
      await gone;
    },
  };
}
