import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createApiClient, type ApiClient } from '../../src/cli/client.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** The compiled service in a process of its own, as a user starts it. */
export interface ServiceProcess {
  client: ApiClient;
  url: string;
  pid: number;
  /** What it wrote so far. */
  output(): string;
  /** Resolves when the process is gone. */
  gone: Promise<number | null>;
  /** Sends a signal and waits until the process is gone. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

export async function startServiceProcess(
  stateDir: string,
  env: Record<string, string> = {},
  port = 0,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js'), 'serve', '--port', String(port)], {
    env: { ...process.env, PUSHFORWARD_STATE_DIR: stateDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const url = await announcedUrl(child, stateDir, () => output);
  return {
    client: createApiClient(url),
    url,
    pid: child.pid!,
    output: () => output,
    gone,
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return gone;
    },
  };
}

async function announcedUrl(child: ChildProcess, stateDir: string, output: () => string): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    const ended = child.exitCode ?? child.signalCode;
    if (ended !== null) throw new Error(`the service ended with ${ended}:\n${output()}`);
    const text = await readFile(join(stateDir, 'service.json'), 'utf8').catch(() => '{}');
    const { process: of, url } = JSON.parse(text) as { process?: { pid: number }; url?: string | null };
    if (of?.pid === child.pid && url) return url;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`the service announced no address within a minute:\n${output()}`);
}

export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
