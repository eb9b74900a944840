import { count, sum } from './html.ts';

/**
 * How many points the classes have, in words: `10 points each`, or `5 to 18 points each, 100 in all`.
 * @param perClass (c,) at least one
 */
export function describePoints(perClass: readonly number[], unit = 'points'): string {
  const [least, most] = [Math.min(...perClass), Math.max(...perClass)];
  if (least === most) return `${count(least)} ${least === 1 ? unit.replace(/s$/, '') : unit} each`;
  const all = sum(perClass, (k) => k);
  return `${count(least)} to ${count(most)} ${unit} each, ${count(all)} in all`;
}
