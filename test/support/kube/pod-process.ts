import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type CoreV1Api, type V1EnvVar, type V1Pod } from '@kubernetes/client-node';

/** The container of a pod as a process of this machine. */
export interface PodProcess {
  readonly startedAt: Date;
  readonly ended: Promise<{ exitCode: number; message: string; finishedAt: Date }>;
  lines(): string[];
  kill(signal: NodeJS.Signals): void;
}

/** It gets what a container would: the variables of the pod and nothing of ours, but a path and a place for its last words. */
export async function startPodProcess(core: CoreV1Api, pod: V1Pod): Promise<PodProcess> {
  const container = pod.spec!.containers[0]!;
  const [program, ...args] = [...(container.command ?? []), ...(container.args ?? [])];
  const messagePath = join(tmpdir(), `termination-${pod.metadata!.uid}`);
  const env: Record<string, string> = { PATH: process.env['PATH']!, PUSHFORWARD_TERMINATION_MESSAGE: messagePath };
  for (const { secretRef } of container.envFrom ?? []) {
    const secret = await core.readNamespacedSecret({ namespace: pod.metadata!.namespace!, name: secretRef!.name! });
    for (const [name, value] of Object.entries(secret.data ?? {})) env[name] = Buffer.from(value, 'base64').toString();
  }
  for (const variable of container.env ?? []) env[variable.name] = valueOf(variable, pod);
  const child: ChildProcess = spawn(program!, args, { env, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
  const startedAt = new Date();
  const lines: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const ended = new Promise<{ exitCode: number; message: string; finishedAt: Date }>((resolve) => {
    child.once('close', (code, signal) => {
      const exitCode = code ?? 128 + SIGNALS[signal ?? 'SIGKILL']!;
      const finishedAt = new Date();
      void readFile(messagePath, 'utf8')
        .catch(() => '')
        .then(async (message) => {
          await rm(messagePath, { force: true });
          resolve({ exitCode, message: message.slice(0, 4096), finishedAt });
        });
    });
  });
  return { startedAt, ended, lines: () => lines, kill: (signal) => void child.kill(signal) };
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGABRT: 6 };

function valueOf({ value, valueFrom }: V1EnvVar, { metadata }: V1Pod): string {
  const path = valueFrom?.fieldRef?.fieldPath;
  if (path === undefined) return value ?? '';
  const [, kind, key] = /^metadata\.(annotations|labels)\['(.+)'\]$/.exec(path)!;
  return metadata![kind as 'annotations' | 'labels']![key!]!;
}
