import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';
import { invalid, type PushforwardError } from '../../base/errors.ts';

/** ANY: what others send, whose types are known when it is there. */
export type FactType = 'number' | 'text' | 'truth' | 'any';

/** What a condition may name: `run.w2`; a name that ends in `[]` is asked with a text, `age.promotedHours["production"]`. */
export type Vocabulary = ReadonlyMap<string, FactType>;

/** A condition that was checked: whatever facts are there, it can be evaluated. */
export type Expression =
  | { kind: 'literal'; text: string; type: FactType; value: number | string | boolean }
  | { kind: 'fact'; text: string; type: FactType; path: string; key: string | null }
  | { kind: 'known'; text: string; type: 'truth'; of: Expression }
  | { kind: 'not' | 'minus'; text: string; type: FactType; of: Expression }
  | { kind: 'in'; text: string; type: 'truth'; of: Expression; list: Expression[] }
  | { kind: 'method'; text: string; type: 'truth'; name: TextMethod; left: Expression; right: Expression }
  | { kind: 'binary'; text: string; type: FactType; sign: Sign; left: Expression; right: Expression };

export type Sign = (typeof SIGNS)[number];

const SIGNS = ['&&', '||', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%'] as const;
const TEXT_METHODS = ['startsWith', 'endsWith', 'contains'] as const;
export type TextMethod = (typeof TEXT_METHODS)[number];

const MOST_CHARACTERS = 2000;
/** The grammar alone is used, so nothing is declared. */
const grammar = new Environment({ unlistedVariablesAreDyn: true, limits: { maxAstNodes: 300, maxDepth: 40 } });

/**
 * A condition in the part of the Common Expression Language that needs no loops: comparisons, `&&`, `||`, `!`, arithmetic, `in`, `has()`, and
 * startsWith, endsWith and contains of texts. Its types are checked here, not when an event comes.
 * @throws INVALID_INPUT with the position, what was expected there, and what was received
 */
export function parseCondition(text: string, vocabulary: Vocabulary): Expression {
  if (text.length > MOST_CHARACTERS) {
    throw invalid(
      `expected a condition of ${MOST_CHARACTERS} characters at most, got ${text.length}: shorten it, or make two triggers of it`,
      { path: ['condition'] },
    );
  }
  const found = checked(parsed(text), vocabulary);
  expectType(found, 'truth', text, 0, 'compare it with something');
  return found;
}

function parsed(text: string): ASTNode {
  try {
    return grammar.parse(text).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const at = error.range?.start ?? 0;
    throw fault(
      text,
      at,
      'an expression such as `run.w2 <= 12 && cost.spentThisMonthUsd < 50`',
      error.summary,
      'correct it',
    );
  }
}

function checked(node: ASTNode, vocabulary: Vocabulary): Expression {
  const { op, args, start, input } = node;
  const text = textOf(node);
  const sub = (one: ASTNode) => checked(one, vocabulary);
  const refuse = (expected: string, got: string, remedy: string) => fault(input, start, expected, got, remedy);
  switch (op) {
    case 'value': {
      if (typeof args === 'string') return { kind: 'literal', text, type: 'text', value: args };
      if (typeof args === 'boolean') return { kind: 'literal', text, type: 'truth', value: args };
      const number = typeof args === 'bigint' || typeof args === 'number' ? Number(args) : NaN;
      if (Number.isFinite(number)) return { kind: 'literal', text, type: 'number', value: number };
      throw refuse('a number, a text, true or false', text, 'use has(...) to ask whether something is known');
    }
    case 'id':
    case '.':
    case '[]':
      return factOf(node, vocabulary);
    case 'call': {
      const [name, given] = args;
      if (name === 'has' && given.length === 1) {
        return { kind: 'known', text, type: 'truth', of: factOf(given[0]!, vocabulary) };
      }
      throw refuse('has(...) with one name', `${name}(...)`, 'leave it out');
    }
    case 'rcall': {
      const [name, receiver, given] = args;
      if (!TEXT_METHODS.includes(name as TextMethod) || given.length !== 1) {
        throw refuse(`one of ${TEXT_METHODS.join(', ')} with one text`, `.${name}(...)`, 'leave it out');
      }
      const [left, right] = [sub(receiver), sub(given[0]!)];
      expectType(left, 'text', input, receiver.start, 'ask it of a text');
      expectType(right, 'text', input, given[0]!.start, 'give a text');
      return { kind: 'method', text, type: 'truth', name: name as TextMethod, left, right };
    }
    case '!_': {
      const of = sub(args);
      expectType(of, 'truth', input, args.start, 'negate a comparison');
      return { kind: 'not', text, type: 'truth', of };
    }
    case '-_': {
      const of = sub(args);
      expectType(of, 'number', input, args.start, 'negate a number');
      return { kind: 'minus', text, type: 'number', of };
    }
    case 'in': {
      const [one, list] = args;
      if (list.op !== 'list') {
        throw fault(
          input,
          list.start,
          'a list such as ["a", "b"] behind in',
          input.slice(list.start, list.end),
          'write one',
        );
      }
      const of = sub(one);
      const items = list.args.map((item) => sub(item));
      for (const [at, item] of items.entries()) expectSame(of, item, input, list.args[at]!.start);
      return { kind: 'in', text, type: 'truth', of, list: items };
    }
    default:
      break;
  }
  if (!(SIGNS as readonly string[]).includes(op)) {
    throw refuse('comparisons, &&, ||, !, arithmetic, in and has()', text, 'leave it out');
  }
  const [a, b] = args as [ASTNode, ASTNode];
  const [left, right] = [sub(a), sub(b)];
  const made = (type: FactType): Expression => ({ kind: 'binary', text, type, sign: op as Sign, left, right });
  switch (op) {
    case '&&':
    case '||':
      expectType(left, 'truth', input, a.start, 'compare it with something');
      expectType(right, 'truth', input, b.start, 'compare it with something');
      return made('truth');
    case '==':
    case '!=':
      expectSame(left, right, input, b.start);
      return made('truth');
    default:
      expectType(left, 'number', input, a.start, 'use a number');
      expectType(right, 'number', input, b.start, 'use a number');
      return made(['<', '<=', '>', '>='].includes(op) ? 'truth' : 'number');
  }
}

function factOf(node: ASTNode, vocabulary: Vocabulary): Expression {
  const { start, input } = node;
  const text = input.slice(start, node.end);
  if (node.op === '[]') {
    const [of, key] = node.args;
    const path = pathOf(of);
    const type = path === null ? undefined : vocabulary.get(`${path}[]`);
    if (type !== undefined && key.op === 'value' && typeof key.args === 'string') {
      return { kind: 'fact', text, type, path: path!, key: key.args };
    }
    throw unknown(input, start, text, vocabulary);
  }
  const path = pathOf(node);
  if (path === null) throw fault(input, start, 'a name such as run.w2', text, 'name a fact');
  const type = typeOf(path, vocabulary);
  if (type === null) throw unknown(input, start, text, vocabulary);
  return { kind: 'fact', text, type, path, key: null };
}

/** As it was written, with the parentheses around its parts, which the grammar leaves out at both ends. */
function textOf({ input, start, end }: ASTNode): string {
  let [from, to, depth] = [start, end, 0];
  let unopened = 0;
  for (const sign of input.slice(start, end).replace(TEXTS, '')) {
    if (sign === '(') depth++;
    else if (sign === ')' && depth > 0) depth--;
    else if (sign === ')') unopened++;
  }
  for (; depth > 0; depth--) to = input.indexOf(')', to) + 1;
  for (; unopened > 0; unopened--) from = input.lastIndexOf('(', from - 1);
  return input.slice(from, to);
}

const TEXTS = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g;

/** `a.b.c`; null for anything else. */
function pathOf(node: ASTNode): string | null {
  if (node.op === 'id') return node.args;
  if (node.op !== '.') return null;
  const above = pathOf(node.args[0]);
  return above === null ? null : `${above}.${node.args[1]}`;
}

/** What lies below something of any type is of any type. */
export function typeOf(path: string, vocabulary: Vocabulary): FactType | null {
  const own = vocabulary.get(path);
  if (own !== undefined) return own;
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    if (vocabulary.get(path.slice(0, dot)) === 'any') return 'any';
  }
  return null;
}

function expectType(of: Expression, type: FactType, input: string, at: number, remedy: string): void {
  if (of.type === type || of.type === 'any') return;
  throw fault(input, at, WORDS[type], `${WORDS[of.type]}, ${of.text}`, remedy);
}

function expectSame(left: Expression, right: Expression, input: string, at: number): void {
  if (left.type === right.type || left.type === 'any' || right.type === 'any') return;
  const remedy = `${left.text} is ${WORDS[left.type]}, so compare it with one`;
  throw fault(input, at, WORDS[left.type], `${WORDS[right.type]}, ${right.text}`, remedy);
}

const WORDS: Record<FactType, string> = { number: 'a number', text: 'a text', truth: 'true or false', any: 'anything' };

function unknown(input: string, at: number, text: string, vocabulary: Vocabulary): PushforwardError {
  const [group] = text.split('.');
  const alike = [...vocabulary.keys()].filter((name) => name.startsWith(`${group}.`));
  const names = (alike.length > 0 ? alike : [...vocabulary.keys()]).map((name) => name.replace('[]', '["name"]'));
  return fault(input, at, `a name that this source has`, text, `use one of ${names.join(', ')}`);
}

function fault(input: string, at: number, expected: string, got: string, remedy: string): PushforwardError {
  const before = input.slice(0, at).split('\n');
  const place = before.length > 1 ? `line ${before.length}, ` : '';
  return invalid(
    `expected ${expected} at ${place}character ${before.at(-1)!.length + 1} of the condition, got ${got}: ${remedy}`,
    {
      ...{ path: ['condition'], position: at, remedy },
    },
  );
}
