import { type TriggerTerm } from './rows.ts';

/** The parts that decided, innermost: `run.w2 <= 12 is false (run.w2 is 14.2)`. */
export function whyNot(tree: TriggerTerm): string {
  return decisive(tree).map(termText).join('; ');
}

function decisive(term: TriggerTerm): TriggerTerm[] {
  const inner = term.terms.filter(({ terms }) => terms.length > 0);
  if (inner.length === 0 || inner.length < term.terms.length) return [term];
  const same = inner.filter(({ value }) => value === term.value);
  return (same.length > 0 ? same : inner).flatMap(decisive);
}

function termText({ text, value, terms }: TriggerTerm): string {
  const of = terms.filter((one) => one.text !== String(one.value) && one.text !== JSON.stringify(one.value));
  const values = of.map((one) => `${one.text} is ${shown(one.value)}`).join(', ');
  return `${text} is ${shown(value)}${values === '' ? '' : ` (${values})`}`;
}

const shown = (value: unknown): string => (value === null ? 'unknown' : JSON.stringify(value));
