import { type JsonValue } from '../../base/json.ts';
import { type Expression, type FactType, type Sign, type TextMethod } from './expression.ts';
import { type TriggerTerm } from './rows.ts';

/** The value of a fact; null: unknown. */
export type FactValue = (path: string, key: string | null) => JsonValue;

/**
 * What a condition comes to, with the value of each of its parts. Unknown is no value of its own that could be compared: what is compared or
 * computed with it is unknown, but for `false && x`, `true || x` and has(x). So is a fact of any type that meets one of another, a division by zero, and
 * what is no finite number. A condition that is unknown is not met. Every part is evaluated, whether or not it decided.
 */
export function evaluateTerms(of: Expression, fact: FactValue): TriggerTerm {
  const { text } = of;
  const below = (...parts: Expression[]) => parts.map((part) => evaluateTerms(part, fact));
  switch (of.kind) {
    case 'literal':
      return { text, value: of.value, terms: [] };
    case 'fact':
      return { text, value: ofType(fact(of.path, of.key), of.type), terms: [] };
    case 'known': {
      const terms = below(of.of);
      return { text, value: terms[0]!.value !== null, terms };
    }
    case 'not': {
      const terms = below(of.of);
      const [{ value }] = terms as [TriggerTerm];
      return { text, value: typeof value === 'boolean' ? !value : null, terms };
    }
    case 'minus': {
      const terms = below(of.of);
      const [{ value }] = terms as [TriggerTerm];
      return { text, value: typeof value === 'number' ? -value : null, terms };
    }
    case 'in': {
      const terms = below(of.of, ...of.list);
      const [one, ...list] = terms.map(({ value }) => value);
      const found = list.map((item) => equal(one!, item));
      return { text, value: found.includes(true) ? true : found.includes(null) ? null : false, terms };
    }
    case 'method': {
      const terms = below(of.left, of.right);
      const [left, right] = terms.map(({ value }) => value);
      const both = typeof left === 'string' && typeof right === 'string';
      return { text, value: both ? METHODS[of.name](left, right) : null, terms };
    }
    case 'binary': {
      const terms = below(of.left, of.right);
      return { text, value: combined(of.sign, terms[0]!.value, terms[1]!.value), terms };
    }
  }
}

const METHODS: Record<TextMethod, (a: string, b: string) => boolean> = {
  startsWith: (a, b) => a.startsWith(b),
  endsWith: (a, b) => a.endsWith(b),
  contains: (a, b) => a.includes(b),
};

function combined(sign: Sign, a: JsonValue, b: JsonValue): JsonValue {
  switch (sign) {
    case '&&':
      if (a === false || b === false) return false;
      return a === true && b === true ? true : null;
    case '||':
      if (a === true || b === true) return true;
      return a === false && b === false ? false : null;
    case '==':
      return equal(a, b);
    case '!=': {
      const same = equal(a, b);
      return same === null ? null : !same;
    }
    default:
      return typeof a === 'number' && typeof b === 'number' ? finite(NUMERIC[sign](a, b)) : null;
  }
}

const NUMERIC: Record<Exclude<Sign, '&&' | '||' | '==' | '!='>, (a: number, b: number) => number | boolean> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

const finite = (value: number | boolean): JsonValue =>
  typeof value === 'boolean' || Number.isFinite(value) ? value : null;

function equal(a: JsonValue, b: JsonValue): boolean | null {
  return a === null || b === null || typeof a !== typeof b ? null : a === b;
}

const NAMES: Record<string, FactType> = { number: 'number', string: 'text', boolean: 'truth' };

/** Lists and objects compare with nothing. */
function ofType(value: JsonValue, type: FactType): JsonValue {
  const own = NAMES[typeof value];
  return own !== undefined && (type === 'any' || type === own) ? value : null;
}
