import { readFileSync } from 'node:fs';

/** A process by more than its id, which the system gives to others once it has ended. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot at its start; null where the system has no /proc. */
  startTime: number | null;
}

export function identify(pid: number): ProcessIdentity {
  return { pid, startTime: stat(pid)?.startTime ?? null };
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
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, startTime: Number(fields[19]) };
  } catch {
    return null;
  }
}
