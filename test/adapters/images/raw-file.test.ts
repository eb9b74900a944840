import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { recordsOf } from '../../../src/adapters/images/raw-file.ts';
import { type SourceFiles } from '../../../src/adapters/images/source-file.ts';

/** A file that comes in pieces of these sizes, again and again. */
function inPieces(content: Uint8Array, sizes: readonly number[]): SourceFiles {
  function* pieces() {
    for (let at = 0, i = 0; at < content.length; i++) {
      yield content.subarray(at, (at += sizes[i % sizes.length]!));
    }
  }
  return { stream: () => Readable.from(pieces()) } as unknown as SourceFiles;
}

it('records are the same however the file comes', () =>
  fc.assert(
    fc.asyncProperty(
      fc.nat(20),
      fc.integer({ min: 1, max: 50 }),
      fc.nat(12),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (headerBytes, recordBytes, count, sizes, gzip) => {
        const whole = Uint8Array.from(
          { length: headerBytes + recordBytes * count },
          (_, i) => (i * 7 + (i >> 5)) % 256,
        );
        const files = inPieces(gzip ? gzipSync(whole) : whole, sizes);
        const found: { bytes: number[]; offset: number }[] = [];
        for await (const { bytes, offset } of recordsOf(
          files,
          { path: 'x', gzip },
          { headerBytes, recordBytes, count },
        )) {
          found.push({ bytes: [...bytes], offset });
        }
        const expected = Array.from({ length: count }, (_, i) => headerBytes + i * recordBytes);
        expect(found).toEqual(
          expected.map((offset) => ({ bytes: [...whole.subarray(offset, offset + recordBytes)], offset })),
        );
      },
    ),
  ));

it.each([
  ['fewer', 29],
  ['more', 31],
])('a file of %s bytes than its records is refused', async (_, bytes) => {
  const reading = async () => {
    const layout = { headerBytes: 10, recordBytes: 5, count: 4 };
    for await (const record of recordsOf(inPieces(new Uint8Array(bytes), [7]), { path: 'x', gzip: false }, layout)) {
      expect(record.bytes).toHaveLength(5);
    }
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: expect.stringContaining('30 bytes (10 and 4 records of 5)') as string,
  });
});
