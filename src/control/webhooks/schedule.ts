/** Requests that a delivery is made of at most, before it is dead. */
export const MOST_TRIES = 13;
const FIRST_MS = 5_000;
const LONGEST_MS = 6 * 3_600_000;

/**
 * How long to wait after so many failures: 5 s, then three times as long each time, to 6 h at most, a quarter more or less by chance. The
 * last of 13 tries comes about 28 h after the first. A receiver may ask for more time (Retry-After), up to the same 6 h.
 * @param random from [0, 1)
 */
export function waitMs(failures: number, askedMs: number | null, random: number): number {
  const usual = Math.min(FIRST_MS * 3 ** (failures - 1), LONGEST_MS) * (0.75 + random / 2);
  return Math.max(usual, Math.min(askedMs ?? 0, LONGEST_MS));
}
