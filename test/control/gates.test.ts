import { describe, expect, it } from 'vitest';
import { type ClassFigures, type OverallFigures } from '../../src/control/figures.ts';
import { checkGates, evaluateGates, gateText, letsThrough } from '../../src/control/gates.ts';
import { type RunQuality } from '../../src/control/quality.ts';
import { type Gate } from '../../src/control/views.ts';

const gate = (of: Partial<Gate>): Gate => ({
  ...{ figure: 'W2', scope: 'OVERALL', against: 'NOTHING', atMost: null, atLeast: null },
  ...of,
});

/** @param w2 by class */
function run(w2: Record<string, number | null>, more: { priorId?: string; cost?: number } = {}): RunQuality {
  const classes = Object.entries(w2).map(([className, w2Weighted]) => ({ className, w2Weighted }) as ClassFigures);
  const known = Object.values(w2).filter((one) => one !== null);
  const overall = { w2Weighted: known.length > 0 ? known.reduce((a, b) => a + b) / known.length : null };
  const { priorId = 'prior', cost = 1 } = more;
  return {
    ...{ run: { priorId } as RunQuality['run'], overall: overall as OverallFigures, images: 20 },
    costToMakeUsd: cost,
    classes,
  };
}

const verdict = (of: Partial<Gate>, one: RunQuality, promoted: RunQuality | null = null) =>
  evaluateGates([gate(of)], one, promoted)[0]!;

describe('a gate', () => {
  it('lets through what lies within its bounds, these among them', () => {
    expect(verdict({ atMost: 2 }, run({ a: 2 }))).toMatchObject({ verdict: 'PASSED', value: 2, className: null });
    expect(verdict({ atMost: 1.99 }, run({ a: 2 })).verdict).toBe('FAILED');
    expect(verdict({ atLeast: 2, atMost: 3 }, run({ a: 2 })).verdict).toBe('PASSED');
    expect(verdict({ atLeast: 2.01 }, run({ a: 2 })).verdict).toBe('FAILED');
    expect(verdict({ figure: 'COST', atMost: 0.5 }, run({ a: 2 })).verdict).toBe('FAILED');
    expect(verdict({ figure: 'IMAGES', atLeast: 20 }, run({ a: 2 })).verdict).toBe('PASSED');
  });

  it('of every class goes by the worst and names it', () => {
    const found = verdict({ scope: 'EVERY_CLASS', atMost: 3 }, run({ a: 1, b: 4, c: 3.5 }));
    expect(found).toMatchObject({ verdict: 'FAILED', value: 4, className: 'b' });
    expect(gateText(found)).toBe('W2 of class b is 4, expected at most 3');
    expect(verdict({ atMost: 3 }, run({ a: 1, b: 4, c: 3.5 })).verdict).toBe('PASSED');
    expect(verdict({ scope: 'EVERY_CLASS', atLeast: 2 }, run({ a: 1, b: 4 }))).toMatchObject({ className: 'a' });
  });

  it('does not let through what was not measured', () => {
    for (const one of [run({}), run({ a: null }), run({ a: 1, b: null })]) {
      const found = verdict({ scope: 'EVERY_CLASS', atMost: 100 }, one);
      expect([found.verdict, letsThrough(found)]).toEqual(['NOT_MEASURED', false]);
    }
    expect(gateText(verdict({ figure: 'REDUCTION_D4M', atLeast: 0.1 }, run({ a: 1 })))).toBe(
      'REDUCTION_D4M was not measured, expected at least 0.1',
    );
  });

  describe('against what is promoted', () => {
    const against = { against: 'PROMOTED', atMost: 0.5 } as const;

    it('goes by the difference', () => {
      expect(verdict(against, run({ a: 2.5 }), run({ a: 2 }))).toMatchObject({ verdict: 'PASSED', promotedValue: 2 });
      const failed = verdict(against, run({ a: 2.6 }), run({ a: 2 }));
      expect(gateText(failed)).toBe('W2 is 2.6 beside 2, expected at most 0.5 more than what is promoted');
      expect(letsThrough(failed)).toBe(false);
    });

    it('lets the first through', () => {
      const first = verdict(against, run({ a: 100 }));
      expect([first.verdict, letsThrough(first)]).toEqual(['NOTHING_PROMOTED', true]);
      expect(gateText(first)).toBe('W2 is 100, and nothing is promoted yet to compare it with');
    });

    it('compares each class with itself, and passes over new ones', () => {
      const every = { ...against, scope: 'EVERY_CLASS' } as const;
      expect(verdict(every, run({ a: 2, b: 9, fresh: 99 }), run({ a: 2, b: 9 })).verdict).toBe('PASSED');
      expect(verdict(every, run({ a: 2, b: 9.6 }), run({ a: 9, b: 9 }))).toMatchObject({
        ...{ verdict: 'FAILED', className: 'b', promotedValue: 9 },
      });
      expect(verdict(every, run({ fresh: 1 }), run({ a: 2 })).verdict).toBe('NOT_MEASURED');
    });

    it('compares no distances in the latents of different priors, but costs', () => {
      const other = run({ a: 2 }, { priorId: 'other' });
      const found = verdict(against, run({ a: 2 }), other);
      expect([found.verdict, letsThrough(found)]).toEqual(['NOT_COMPARABLE', false]);
      expect(verdict({ ...against, figure: 'COST' }, run({ a: 2 }), other).verdict).toBe('PASSED');
    });
  });

  it('that could let nothing, or anything, through is refused with its place', () => {
    const refused = (of: Partial<Gate>) => () => checkGates([gate({ atMost: 1 }), gate(of)]);
    expect(refused({})).toThrow('expected atMost or atLeast in the gate on W2, got neither');
    expect(refused({ atLeast: 2, atMost: 1 })).toThrow('got 2 and 1: exchange them');
    expect(refused({ figure: 'COST', scope: 'EVERY_CLASS', atMost: 1 })).toThrow('expected OVERALL for COST');
    expect(refused({})).toThrow(expect.objectContaining({ details: { path: ['gates', '1'] } }));
    expect(() => checkGates(Array.from({ length: 51 }, () => gate({ atMost: 1 })))).toThrow('at most 50 gates, got 51');
  });
});
