/** HOLM: one false alarm or more in a share alpha of cases. BENJAMINI_HOCHBERG: a share alpha of the alarms false. NONE: each by itself. */
export type Correction = 'HOLM' | 'BENJAMINI_HOCHBERG' | 'NONE';

/**
 * p-values of several tests as if there were one: each may be compared with alpha itself.
 *
 * S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979: whatever the tests have to do with each other.
 * Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57, 1995.
 *
 * @param pValues (t,)
 * @returns (t,), at most 1, in the order given
 */
export function corrected(pValues: readonly number[], correction: Correction): number[] {
  const t = pValues.length;
  const rising = [...pValues.keys()].sort((a, b) => pValues[a]! - pValues[b]! || a - b);
  const found = new Array<number>(t);
  switch (correction) {
    case 'NONE':
      return [...pValues];
    case 'HOLM': {
      let largest = 0;
      rising.forEach((at, i) => {
        largest = Math.max(largest, Math.min(1, (t - i) * pValues[at]!));
        found[at] = largest;
      });
      return found;
    }
    case 'BENJAMINI_HOCHBERG': {
      let least = 1;
      for (let i = t - 1; i >= 0; i--) {
        const at = rising[i]!;
        least = Math.min(least, (t / (i + 1)) * pValues[at]!);
        found[at] = least;
      }
      return found;
    }
  }
}
