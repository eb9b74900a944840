import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process by more than its id, which the system gives to others once it has ended. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot at its start; null where the system has no /proc. */
  startTime: number | null;
}

export function identify(pid: number): ProcessIdentity {
  return { pid, startTime: stat(pid)?.startTime ?? null };
}

/**
 * Where process ids mean what they mean here: the host, or the container, by its name and the boot of its machine. A container that
 * started again is the same; its processes are gone.
 */
export function hostIdentity(): string {
  return [hostname(), text('/proc/sys/kernel/random/boot_id')?.trim()].filter(Boolean).join(' ');
}

/** False once it has ended: also for a zombie that nobody collects, and for a successor with the same id. */
export function isAlive(process: ProcessIdentity): boolean {
  if (!answers(process.pid)) return false;
  const now = stat(process.pid);
  if (now === null) return true;
  return now.state !== 'Z' && (process.startTime === null || now.startTime === process.startTime);
}

/**
 * False once it has ended, and while it is kept from running (SIGSTOP, a debugger): it answers to its id then, and does nothing
 * until it is let go on, which only a system with /proc tells.
 */
export function canRun(process: ProcessIdentity): boolean {
  return isAlive(process) && !['T', 't'].includes(stat(process.pid)?.state ?? '');
}

/** Sends a signal unless the process is gone. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Fields 3 and 22 of /proc/PID/stat; the name in field 2 may hold anything, so counting begins after its bracket. */
function stat(pid: number): { state: string; startTime: number } | null {
  const found = text(`/proc/${pid}/stat`);
  if (found === null) return null;
  const fields = found.slice(found.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, startTime: Number(fields[19]) };
}

/** Null where there is no such file. */
function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
