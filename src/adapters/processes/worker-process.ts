import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Log } from '../../base/log.ts';
import { canRun, identify, type ProcessIdentity } from '../../base/process-identity.ts';
import {
  failureClassOf,
  type AttemptObserver,
  type AttemptOrder,
  type AttemptOutcome,
  type Usage,
} from '../../engine/ports.ts';
import { countOomKills, failureOfDeath } from './death.ts';
import { type FromWorker, type ToWorker } from './messages.ts';

export interface WorkerOptions {
  workerPath: string;
  execArgv: string[];
  env: NodeJS.ProcessEnv;
  log: Log;
  /** From asking to SIGKILL; SIGTERM comes half way. */
  killAfterMs: number;
}

/** One child process; carries out one order at a time. */
export interface WorkerProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when the process was seen to end. */
  readonly gone: Promise<void>;
  /** Orders carried out so far. */
  orders(): number;
  /** The most that it held during the last order. */
  peakMemoryBytes(): number;
  /** Whether it is there and can run: a stopped process is no evidence that anything is done. */
  alive(): boolean;
  /** Settles when the order is answered and the process is free, or, if it died or was cancelled, when it was seen gone. */
  carryOut(order: AttemptOrder, observer: Pick<AttemptObserver, 'progress' | 'spans'>): Promise<AttemptOutcome>;
  /** Cancels the order under way and ends the process. */
  end(): void;
}

const LOG_LINES = 50;
const LOG_END_MS = 1_000;

export function startWorker(options: WorkerOptions): Promise<WorkerProcess> {
  // It outlives the order that it is started for: what it logs later is not of that order's trace.
  return context.with(ROOT_CONTEXT, () => start(options));
}

async function start(options: WorkerOptions): Promise<WorkerProcess> {
  // A session of its own: a Ctrl-C at the terminal is for the service, which then asks its workers to stop.
  const child = fork(options.workerPath, {
    execArgv: options.execArgv,
    env: options.env,
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const identity = identify(child.pid!);
  const log = options.log.with({ worker: identity.pid });
  child.on('error', (error) => log.debug('a message to a worker was lost', { error: error.message }));

  const lines: string[] = [];
  /** Whose lines these are. */
  let about: Record<string, string> = {};
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LOG_LINES) lines.shift();
      log.debug(line, about);
    });
  }

  let isGone = false;
  // `close` comes after `exit`, once the log is read to its end; a grandchild that holds the log open may delay it.
  const gone = new Promise<void>((resolve) => {
    const seen = () => {
      isGone = true;
      resolve();
    };
    child.once('close', seen);
    child.once('exit', () => setTimeout(seen, LOG_END_MS).unref());
  });
  // Without its channel it can report nothing any more.
  child.once('disconnect', () => {
    const kill = setTimeout(() => child.kill('SIGKILL'), options.killAfterMs);
    void gone.then(() => clearTimeout(kill));
  });
  let orders = 0;
  let peakMemoryBytes = 0;
  let ending = false;

  return {
    identity,
    gone,
    orders: () => orders,
    peakMemoryBytes: () => peakMemoryBytes,
    alive: () => !isGone && child.exitCode === null && child.signalCode === null && canRun(identity),
    end,

    async carryOut(order, observer) {
      orders++;
      about = aboutOrder(order);
      lines.length = 0;
      const startedAt = performance.now();
      const oomKillsBefore = countOomKills();
      const answer = await answerOf(child, gone, order, observer);
      if (ending) await gone;
      peakMemoryBytes = answer?.peakMemoryBytes ?? 0;
      const usage: Usage = {
        allocatedSeconds: (performance.now() - startedAt) / 1000,
        peakMemoryBytes,
        bytesRead: 0,
        bytesWritten: 0,
      };
      if (answer?.kind === 'succeeded') {
        const { bytesRead, bytesWritten } = answer.result.usage;
        return { kind: 'succeeded', result: { ...answer.result, usage: { ...usage, bytesRead, bytesWritten } } };
      }
      if (ending) return { kind: 'cancelled', usage };
      if (answer) {
        const failure = {
          class: failureClassOf(answer.failure.code),
          error: answer.failure,
          exitCode: null,
          signal: null,
          lastLogLines: [...lines],
        };
        return { kind: 'failed', failure, usage };
      }
      const oomKillsAfter = countOomKills();
      const failure = failureOfDeath({
        exitCode: child.exitCode,
        signal: child.signalCode,
        lastLogLines: [...lines],
        oomKills: oomKillsBefore === null || oomKillsAfter === null ? null : oomKillsAfter - oomKillsBefore,
      });
      return { kind: 'failed', failure, usage };
    },
  };

  function end(): void {
    if (ending || isGone) return;
    ending = true;
    tell(child, { kind: 'cancel' });
    const terminate = setTimeout(() => child.kill('SIGTERM'), options.killAfterMs / 2);
    const kill = setTimeout(() => child.kill('SIGKILL'), options.killAfterMs);
    void gone.then(() => [terminate, kill].forEach(clearTimeout));
  }
}

/** The worker's last word on an order; null if it died before it. */
function answerOf(
  child: ChildProcess,
  gone: Promise<void>,
  order: AttemptOrder,
  observer: Pick<AttemptObserver, 'progress' | 'spans'>,
): Promise<Exclude<FromWorker, { kind: 'progress' | 'spans' }> | null> {
  return new Promise((resolve) => {
    const listen = (message: FromWorker) => {
      if (message.kind === 'progress') return observer.progress(message.itemsDone);
      if (message.kind === 'spans') return observer.spans?.(message.spans);
      child.off('message', listen);
      resolve(message);
    };
    child.on('message', listen);
    void gone.then(() => {
      child.off('message', listen);
      resolve(null);
    });
    tell(child, { kind: 'order', order });
  });
}

function aboutOrder({ runId, attemptId, traceparent }: AttemptOrder): Record<string, string> {
  const traceId = traceparent?.split('-')[1];
  return { run: runId, attempt: attemptId, ...(traceId !== undefined && { trace_id: traceId }) };
}

function tell(child: ChildProcess, message: ToWorker): void {
  // An error here means that the process is going: its end says what there is to say.
  if (child.connected) child.send(message, () => {});
}
