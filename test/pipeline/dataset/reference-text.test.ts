import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE } from '../../../src/pipeline/dataset/reference-text.ts';
import { type ImageReference } from '../../../src/pipeline/ports.ts';

function written(reference: ImageReference): string {
  const bytes = Buffer.alloc(REFERENCE.maxBytes(reference) + 3);
  const end = REFERENCE.write(reference, bytes, 3);
  expect(end).toBeLessThanOrEqual(bytes.length);
  return bytes.toString('utf8', 3, end);
}

describe('REFERENCE', () => {
  it('is what JSON.stringify writes', () => {
    const whole = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 9, 10, 99, 100, 2 ** 53 - 1));
    const path = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
    const common = { source: whole, path, bytes: whole };
    const reference = fc.oneof(
      fc.record(common),
      fc.record({ ...common, offset: whole }),
      fc.record({ ...common, row: whole }),
    );
    fc.assert(
      fc.property(reference, (of) => {
        expect(written(of)).toBe(JSON.stringify(of));
      }),
      { numRuns: 2000 },
    );
  });
});
