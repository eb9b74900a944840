import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import WebSocket from 'ws';

const run = promisify(execFile);

/** What a machine without it lacks. */
export const BROWSER_MISSING = 'a Chromium (Debian: apt install chromium)';

/** The program of a Chromium. On Debian as root it is installed where it is missing. */
export async function chromium(): Promise<string | null> {
  return (await find()) ?? ((await install()) ? await find() : null);
}

async function find(): Promise<string | null> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const found = await run(name, ['--version']).then(
      () => true,
      () => false,
    );
    if (found) return name;
  }
  return null;
}

async function install(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update', '-q'], { env });
    await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
    return true;
  } catch {
    return false;
  }
}

export interface Screen {
  width: number;
  height: number;
  scheme: 'light' | 'dark';
}

/** A tab, by the Chrome DevTools protocol. */
export interface Tab {
  /** Opens a page on such a screen, without JavaScript of its own. */
  open(url: string, screen: Screen): Promise<void>;
  /** The value of an expression within the page. */
  read<T>(expression: string): Promise<T>;
  /** The whole page, to this file. */
  screenshot(path: string): Promise<void>;
  /** URLs that the page asked for since it was opened, and what it complained of. */
  readonly requests: string[];
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openTab(program: string): Promise<Tab> {
  const profile = await mkdtemp(join(tmpdir(), 'pushforward-browser-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-port=0'];
  const browser = spawn(program, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = once(browser, 'exit');
  const address = await new Promise<string>((found, failed) => {
    createInterface(browser.stderr).on('line', (line) => {
      const [, url] = /listening on (ws:\S+)/.exec(line) ?? [];
      if (url) found(url);
    });
    gone.then(() => failed(new Error('expected Chromium to start, got its end')), failed);
  });
  const socket = new WebSocket(address);
  await once(socket, 'open');

  const answers = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const loads = new Set<() => void>();
  const [requests, complaints]: [string[], string[]] = [[], []];
  const session: { sessionId?: string } = {};
  socket.on('message', (data) => {
    const { id, result, error, method, params } = JSON.parse((data as Buffer).toString()) as Message;
    if (id !== undefined) {
      if (error) answers.get(id)!.reject(new Error(error.message));
      else answers.get(id)!.resolve(result ?? {});
    }
    if (method === 'Network.requestWillBeSent') requests.push((params!['request'] as { url: string }).url);
    if (method === 'Log.entryAdded') complaints.push((params!['entry'] as { text: string }).text);
    if (method === 'Page.loadEventFired') for (const loaded of loads) loaded();
  });
  let sent = 0;
  const send = (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    const answer = Promise.withResolvers<Record<string, unknown>>();
    answers.set(++sent, answer);
    socket.send(JSON.stringify({ id: sent, method, params, ...session }));
    return answer.promise;
  };

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  session.sessionId = (await send('Target.attachToTarget', { targetId, flatten: true }))['sessionId'] as string;
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await send(`${domain}.enable`);
  await send('Emulation.setScriptExecutionDisabled', { value: true });

  return {
    ...{ requests, complaints },
    async open(url, { width, height, scheme }) {
      requests.length = complaints.length = 0;
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const loaded = new Promise<void>((fired) => loads.add(fired));
      await send('Page.navigate', { url });
      await loaded;
      loads.clear();
    },
    async read<T>(expression: string) {
      const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true });
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: T }).value;
    },
    async screenshot(path) {
      const { data } = await send('Page.captureScreenshot', { captureBeyondViewport: true });
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.from(data as string, 'base64'));
    },
    async close() {
      socket.close();
      browser.kill();
      await gone;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Message {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
  method?: string;
  params?: Record<string, unknown>;
}
