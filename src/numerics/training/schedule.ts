/** Learning rates by epoch: factors of the first rate. */
export type Schedule =
  /** Times `factor` once `at` of the epochs are over. */
  | { readonly kind: 'step'; readonly at: number; readonly factor: number }
  /** (1 + cos(pi e / (stretch E))) / 2 of E epochs: to zero with a stretch of 1, to half with 2. Loshchilov and Hutter, arXiv 1608.03983. */
  | { readonly kind: 'cosine'; readonly stretch: number };

/** @param epoch from 0 @param epochs in all */
export function rateFactor(schedule: Schedule, epoch: number, epochs: number): number {
  if (schedule.kind === 'step') return epoch < Math.floor(schedule.at * epochs) ? 1 : schedule.factor;
  return (1 + Math.cos((Math.PI * epoch) / (schedule.stretch * epochs))) / 2;
}
