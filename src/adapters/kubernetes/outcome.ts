import { type ErrorRecord } from '../../base/errors.ts';
import { type FailureClass } from '../../engine/ports.ts';

/**
 * What a worker in a pod leaves behind: an exit code, and a termination message that comes with the pod's status. The result
 * itself is the manifest that it published. So nothing has to be cleared away, and the message is there exactly as long
 * as the pod.
 */
export type WorkerOutcome =
  | { kind: 'succeeded'; peakMemoryBytes: number; bytesRead: number; bytesWritten: number }
  | { kind: 'failed'; error: ErrorRecord; peakMemoryBytes: number };

/** What the kubelet keeps of a message. */
const MAX_MESSAGE_BYTES = 4096;

/** By class, so that a Job's policy and a person see the reason though the message is lost. */
export const EXIT_CODES = { userError: 64, outOfMemory: 65, timeout: 66, lost: 67, internal: 70 } as const;

/** After SIGTERM, as shells count it. */
export const EXIT_TERMINATED = 143;

export function exitCodeOf(failure: FailureClass): number {
  return failure in EXIT_CODES ? EXIT_CODES[failure as keyof typeof EXIT_CODES] : EXIT_CODES.internal;
}

export function classOfExitCode(exitCode: number): FailureClass | null {
  const found = Object.entries(EXIT_CODES).find(([, code]) => code === exitCode);
  return found ? (found[0] as FailureClass) : null;
}

/** As JSON of at most 4096 bytes: the details go first, then the end of the message. */
export function toMessage(outcome: WorkerOutcome): string {
  const whole = JSON.stringify(outcome);
  if (fits(whole) || outcome.kind === 'succeeded') return whole;
  const { code, message } = outcome.error;
  for (let characters = message.length; ; characters = Math.floor(characters * 0.8)) {
    const cut = characters < message.length ? `${message.slice(0, characters).toWellFormed()}…` : message;
    const text = JSON.stringify({ ...outcome, error: { code, message: cut } });
    if (fits(text)) return text;
  }
}

/** Null for a message that is none of ours. */
export function fromMessage(text: string | undefined): WorkerOutcome | null {
  try {
    const outcome = JSON.parse(text ?? '') as WorkerOutcome | null;
    return outcome?.kind === 'succeeded' || outcome?.kind === 'failed' ? outcome : null;
  } catch {
    return null;
  }
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_MESSAGE_BYTES;
}
