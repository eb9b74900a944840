import { readFileSync } from 'node:fs';
import { type ErrorRecord } from '../../base/errors.ts';
import { logsFullHeap, type Failure, type FailureClass } from '../../engine/ports.ts';

export interface Death {
  exitCode: number | null;
  signal: string | null;
  lastLogLines: string[];
  /** Out-of-memory kills that the kernel counted for our memory group while the order ran; null: it does not say. */
  oomKills: number | null;
}

/** Why a worker died in the middle of an order, as far as there is evidence for it. */
export function failureOfDeath(death: Death): Failure {
  const how = death.signal ? `was ended by ${death.signal}` : `ended with exit code ${death.exitCode}`;
  const { class: cls, code, evidence } = judge(death);
  return {
    class: cls,
    error: { code, message: `expected the worker to report, got none: it ${how}, ${evidence}` },
    exitCode: death.exitCode,
    signal: death.signal,
    lastLogLines: death.lastLogLines,
  };
}

function judge(death: Death): { class: FailureClass; code: ErrorRecord['code']; evidence: string } {
  const outOfMemory = { class: 'outOfMemory', code: 'OUT_OF_MEMORY' } as const;
  if (logsFullHeap(death.lastLogLines)) {
    return {
      ...outOfMemory,
      evidence: 'and it logged that its heap was full: lower execution.batch or the number of slots',
    };
  }
  const killed = death.signal === 'SIGKILL' || death.exitCode === 137;
  if (killed && (death.oomKills ?? 0) > 0) {
    return {
      ...outOfMemory,
      evidence: 'and the kernel counted an out-of-memory kill meanwhile: lower execution.batch or the number of slots',
    };
  }
  if (killed) {
    const evidence =
      death.oomKills === null ? 'and the kernel does not say whether for memory' : 'though not for memory';
    return { class: 'lost', code: 'WORKER_LOST', evidence: `${evidence}: something else killed it` };
  }
  if (death.signal)
    return { class: 'lost', code: 'WORKER_LOST', evidence: 'which it was not asked to: see its last log lines' };
  return { class: 'internal', code: 'INTERNAL', evidence: 'without a reason: see its last log lines' };
}

/** Out-of-memory kills in the memory group of this process so far (cgroup 2), or null where that is not to be read. */
export function countOomKills(): number | null {
  try {
    const found = /^oom_kill (\d+)$/m.exec(readFileSync('/sys/fs/cgroup/memory.events', 'utf8'));
    return found ? Number(found[1]) : null;
  } catch {
    return null;
  }
}
