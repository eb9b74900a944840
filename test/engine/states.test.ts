import { describe, expect, it } from 'vitest';
import { assertLegal, isFinal, isLegal, MOVES, type StateOf } from '../../src/engine/states.ts';

const kinds = Object.keys(MOVES) as (keyof StateOf)[];
const legal = (kind: keyof StateOf) => MOVES[kind] as Record<string, readonly string[]>;

describe.each(kinds)('the states of a %s', (kind) => {
  const states = Object.keys(legal(kind));

  it('move only as the table says', () => {
    for (const from of states) {
      for (const to of states) {
        const allowed = legal(kind)[from]!.includes(to);
        expect(isLegal(kind, from as never, to as never)).toBe(allowed);
        const move = () => assertLegal(kind, from as never, to as never);
        if (allowed) expect(move).not.toThrow();
        else expect(move).toThrow(`expected a legal move of a ${kind} in ${from}`);
      }
    }
  });

  it('never leave a final one, and every other leads to one', () => {
    const finals = states.filter((state) => isFinal(kind, state as never));
    expect(finals.length).toBeGreaterThan(0);
    for (const state of states) {
      const reached = new Set([state]);
      for (const from of reached) for (const to of legal(kind)[from]!) reached.add(to);
      expect(finals.some((final) => reached.has(final))).toBe(true);
    }
  });
});
