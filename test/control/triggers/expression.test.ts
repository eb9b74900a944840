import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PushforwardError } from '../../../src/base/errors.ts';
import { type JsonValue } from '../../../src/base/json.ts';
import { type FactType, parseCondition } from '../../../src/control/triggers/expression.ts';
import { evaluateTerms } from '../../../src/control/triggers/terms.ts';
import { whyNot } from '../../../src/control/triggers/why.ts';

const VOCABULARY = new Map<string, FactType>([
  ['run.w2', 'number'],
  ['run.ess', 'number'],
  ['run.state', 'text'],
  ['drift.alarm', 'truth'],
  ['event.data', 'any'],
  ['age.promotedHours[]', 'number'],
]);
const FACTS: Record<string, JsonValue> = {
  ...{ 'run.w2': 11, 'run.ess': null, 'run.state': 'SUCCEEDED', 'drift.alarm': true },
  ...{ 'event.data.n': 3, 'event.data.kind': 'letters', 'event.data.list': [1], 'age.promotedHours[production]': 30 },
};
const fact = (path: string, key: string | null) => FACTS[key === null ? path : `${path}[${key}]`] ?? null;
const value = (text: string) => evaluateTerms(parseCondition(text, VOCABULARY), fact).value;

describe('a condition', () => {
  it.each([
    ['run.w2 <= 12', true],
    ['run.w2 + 1 == 12 && run.w2 * 2 > 21 && -run.w2 < 0 && run.w2 % 2 == 1', true],
    ['run.state in ["FAILED", "SUCCEEDED"]', true],
    ['run.state in ["FAILED"]', false],
    ['run.state.startsWith("SUCC") && run.state.contains("CEED") && !run.state.endsWith("x")', true],
    ['drift.alarm', true],
    ['!(drift.alarm && run.w2 > 12)', true],
    ['age.promotedHours["production"] > 24', true],
    ['event.data.kind == "letters" && event.data.n >= 3', true],
  ])('%s is %s', (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    ['run.ess > 3', null],
    ['run.ess == run.ess', null],
    ['!(run.ess > 3)', null],
    ['run.ess > 3 || run.w2 < 12', true],
    ['run.ess > 3 && run.w2 > 12', false],
    ['run.ess > 3 && run.w2 < 12', null],
    ['has(run.ess)', false],
    ['has(event.data.n) && !has(event.data.other)', true],
    // of another type than what it meets
    ['event.data.n == "3"', null],
    ['event.data.n != "3"', null],
    // a text, and so not true
    ['event.data.kind', 'letters'],
    ['event.data.list == 1', null],
    ['run.w2 / 0 > 1', null],
    ['run.ess in [1, 2]', null],
    ['age.promotedHours["nowhere"] > 1', null],
  ])('with what is unknown, %s is %s', (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    ['run.w2 < "12"', 'expected a number at character 10 of the condition, got a text, "12": use a number'],
    ['run.state == 3', 'expected a text at character 14 of the condition, got a number, 3: run.state is a text'],
    ['run.w2', 'expected true or false at character 1 of the condition, got a number, run.w2'],
    ['run.w2 < 3 && run.ess', 'expected true or false at character 15 of the condition, got a number, run.ess'],
    ['!run.w2', 'expected true or false at character 2'],
    [
      'run.w3 < 1',
      'expected a name that this source has at character 1 of the condition, got run.w3: use one of run.w2',
    ],
    ['run.w2 <', 'at character 9 of the condition'],
    ['run.w2 < 1 &&\n  run.state < 2', 'at line 2, character 3 of the condition, got a text, run.state'],
    ['run.ess == null', 'use has(...) to ask whether something is known'],
    ['run.w2 > 1 ? true : false', 'expected comparisons'],
    ['event.data.exists(x, x > 1)', 'expected one of startsWith, endsWith, contains'],
    ['run.state in "SUCCEEDED"', 'expected a list'],
    ['age.promotedHours[run.state] > 1', 'expected a name that this source has'],
    ['size(run.state) > 1', 'expected has(...)'],
    [`run.w2 < ${'1 + '.repeat(600)}1`, 'expected a condition of 2000 characters at most'],
    [`${'!'.repeat(400)}drift.alarm`, 'of the condition'],
  ])('%j is refused where it is made, with its place', (text, message) => {
    expect(() => parseCondition(text, VOCABULARY)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(message) as string }) as Error,
    );
  });

  it('tells the value of each part, whether or not it decided', () => {
    const tree = evaluateTerms(parseCondition('run.w2 > 12 && (run.ess > 1 || drift.alarm)', VOCABULARY), fact);
    expect(tree).toMatchObject({
      value: false,
      terms: [
        {
          text: 'run.w2 > 12',
          value: false,
          terms: [
            { text: 'run.w2', value: 11 },
            { text: '12', value: 12 },
          ],
        },
        {
          value: true,
          terms: [
            { text: 'run.ess > 1', value: null },
            { text: 'drift.alarm', value: true },
          ],
        },
      ],
    });
    expect(whyNot(tree)).toBe('run.w2 > 12 is false (run.w2 is 11)');
  });
});

it.each([
  ['run.w2 < 1 && (run.ess > 1 || drift.alarm)', ['run.w2 < 1', 'run.ess > 1 || drift.alarm']],
  ['(run.w2 < 1 || drift.alarm) && (run.ess > 1)', ['run.w2 < 1 || drift.alarm', 'run.ess > 1']],
  ['((run.w2 + 1) * (run.ess)) < 1', ['(run.w2 + 1) * (run.ess)', '1']],
  ['run.state == ")" || (run.state == "(")', ['run.state == ")"', 'run.state == "("']],
])('the parts of %s are told as they were written', (text, parts) => {
  const { text: whole, terms } = evaluateTerms(parseCondition(text, VOCABULARY), fact);
  expect([whole, terms.map((term) => term.text)]).toEqual([text, parts]);
});

/** Anything that has the shape of a condition, of whatever types. */
const { text: anyText } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(
      ...VOCABULARY.keys(),
      'event.data.n',
      'event.data.kind',
      'nope.x',
      'age.promotedHours["production"]',
    ),
    fc.constantFrom('1', '0', '2.5', '"a"', '"SUCCEEDED"', 'true', 'false', 'null'),
    fc
      .tuple(
        tie('text'),
        fc.constantFrom('&&', '||', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%'),
        tie('text'),
      )
      .map(([a, sign, b]) => `(${a} ${sign} ${b})`),
    fc.tuple(fc.constantFrom('!', '-'), tie('text')).map(([sign, a]) => `${sign}(${a})`),
    tie('text').map((a) => `has(${a})`),
    fc.tuple(tie('text'), tie('text'), tie('text')).map(([a, b, c]) => `${a} in [${b}, ${c}]`),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => `${a}.contains(${b})`),
  ),
}));

it('that was accepted has a value of its type whatever the facts are, and one that was not says why', () => {
  let accepted = 0;
  fc.assert(
    fc.property(anyText, fc.dictionary(fc.constantFrom(...Object.keys(FACTS)), fc.jsonValue()), (text, facts) => {
      let condition;
      try {
        condition = parseCondition(text, VOCABULARY);
      } catch (error) {
        expect(error).toBeInstanceOf(PushforwardError);
        expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { path: ['condition'] } });
        return;
      }
      accepted++;
      const tree = evaluateTerms(
        condition,
        (path, key) => (facts[key === null ? path : `${path}[${key}]`] ?? null) as JsonValue,
      );
      // A fact of any type may stand alone.
      if (condition.type === 'truth') expect([true, false, null]).toContain(tree.value);
      expect(typeof whyNot(tree)).toBe('string');
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(100);
});

it('of any text at all is accepted or refused as input', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60, unit: 'binary' }), (text) => {
      try {
        parseCondition(text, VOCABULARY);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      }
    }),
    { numRuns: 2000 },
  );
});
