/** The order of names and digests everywhere: UTF-16 code units, as `<` has it, whatever the locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
