/** A table for a terminal: text to the left, numbers, amounts and dates to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const toTheRight = head.map((_, column) => column > 0 && rows.every((row) => QUANTITY.test(row[column] ?? '')));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (toTheRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '\u2500'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Nothing, a dash, or what begins with a digit: `12.5`, `$0.01`, `4 min 05 s`. */
const QUANTITY = /^$|^-$|^[-$]?\d/;

export const count = (value: number): string => value.toLocaleString('en-US');
/** `512 B`, `1.5 MB`: decimal, as disks and stores are sold. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let step = 0;
  // What would round to 1000.0 is one of the next unit.
  while (step < units.length - 1 && value / 1000 ** step >= (step === 0 ? 1000 : 999.95)) step++;
  return `${step === 0 ? value : (value / 1000 ** step).toFixed(1)} ${units[step]}`;
}

export const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;
export const dollars = (value: number): string => `$${value.toFixed(value > 0 && value < 0.01 ? 6 : 4)}`;

/** `0.4 s`, `12.3 s`, `4 min 05 s`. */
export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${String(Math.floor(value % 60)).padStart(2, '0')} s`;
}
