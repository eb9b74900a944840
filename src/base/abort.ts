import { cancelled } from './errors.ts';

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}

/** Lets the event loop turn before long work that holds it, so that an abort that was sent is seen. */
export async function throwIfAbortedByNow(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((turned) => setImmediate(turned));
  throwIfAborted(signal);
}
