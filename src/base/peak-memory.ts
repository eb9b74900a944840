import { writeFileSync } from 'node:fs';

/** The most memory that this process has held since it was last told to forget. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Begins to measure anew; where the system cannot (only Linux can), the peak stays that of the whole process. */
export function forgetPeakMemory(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // What is told then is too much rather than too little.
  }
}
