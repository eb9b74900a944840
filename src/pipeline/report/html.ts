/** Text as text, never as markup; also in attributes. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export const count = (value: number): string => value.toLocaleString('en-US');
export const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;
export function dollars(value: number): string {
  if (value > 0 && value < 0.000005) return 'under $0.00001';
  return `$${value.toFixed(value < 1 ? 5 : 2)}`;
}
/** With a minus sign, as type has it. */
export const signed = (value: number, digits: number): string => value.toFixed(digits).replace('-', '\u2212');

/** An estimate with the ends of its interval. */
export function interval(value: number | null, low: number | null, high: number | null, digits: number): string {
  if (value === null || low === null || high === null) return 'not found';
  return `${signed(value, digits)} (${signed(low, digits)} to ${signed(high, digits)})`;
}

export const sum = <T>(rows: readonly T[], of: (row: T) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);
export const mean = <T>(rows: readonly T[], of: (row: T) => number): number => sum(rows, of) / rows.length;

/** A table of texts that are markup already: the first column names the row, the last row is a summary if `foot` is given. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  foot: readonly string[] | null = null,
): string {
  const line = ([first, ...rest]: readonly string[]) =>
    `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  return scrolled(`<table>
<thead><tr>${head.map((title) => `<th scope="col">${title}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(line).join('\n')}
</tbody>${foot ? `\n<tfoot>${line(foot)}</tfoot>` : ''}
</table>`);
}

/** What is wider than a narrow screen: it scrolls by itself, the page does not. */
export const scrolled = (markup: string): string => `<div class="scroll">${markup}</div>`;

/** A table of many classes is folded away: plots come before it, and what comes after it is not to be missed. */
export function folded(classes: number, markup: string): string {
  if (classes <= UNFOLDED) return markup;
  return `<details><summary>Table of all ${count(classes)} classes</summary>${markup}</details>`;
}

const UNFOLDED = 30;
