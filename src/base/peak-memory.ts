import { readFileSync, writeFileSync } from 'node:fs';

/** The most memory that this process has held since it was last told to forget; where only the system's books are, since it began. */
export function peakMemoryBytes(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
    return Number(kibibytes) * 1024;
  } catch {
    // That of a child is at least what its parent held when it began.
    return process.resourceUsage().maxRSS * 1024;
  }
}

/** Begins to measure anew, where the system can (Linux). */
export function forgetPeakMemory(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // What is told then is too much rather than too little.
  }
}
