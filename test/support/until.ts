import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition; what it last returned if it is truthy. */
export async function until<T>(
  condition: () => T | Promise<T>,
  what = 'the condition',
  limitMs = 20_000,
): Promise<NonNullable<T>> {
  for (const deadline = performance.now() + limitMs; ; await delay(10)) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`expected ${what} within ${limitMs} ms, got nothing`);
  }
}
