import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { partsOf, planUpload } from '../../src/control/upload-plan.ts';

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;
const file = { path: 'train.parquet', bytes: 10 };

describe('the parts of a file', () => {
  it('hold all of it, in at most 10,000 of one size that S3 takes, and none is empty', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat().map((n) => 1 + (n % (5 * TIB))),
        (bytes) => {
          const { partBytes, partCount } = partsOf(bytes);
          expect(partBytes * (partCount - 1)).toBeLessThan(bytes);
          expect(partBytes * partCount).toBeGreaterThanOrEqual(bytes);
          expect(partCount).toBeLessThanOrEqual(10_000);
          expect(partBytes).toBeGreaterThanOrEqual(5 * MIB);
        },
      ),
    );
  });

  it('grow with files beyond what 16 MiB can hold', () => {
    expect(partsOf(16 * MIB)).toEqual({ partBytes: 16 * MIB, partCount: 1 });
    expect(partsOf(16 * MIB + 1)).toEqual({ partBytes: 16 * MIB, partCount: 2 });
    expect(partsOf(100e9)).toEqual({ partBytes: 16 * MIB, partCount: 5961 });
    expect(partsOf(5 * TIB)).toEqual({ partBytes: 525 * MIB, partCount: 9987 });
  });
});

describe('the files of an upload', () => {
  it.each([
    ['none', [], 'INVALID_INPUT', ['files']],
    ['too many', Array.from({ length: 1001 }, (_, i) => ({ path: `${i}`, bytes: 1 })), 'LIMIT_EXCEEDED', ['files']],
    ['one that is empty', [{ ...file, bytes: 0 }], 'INVALID_INPUT', ['files', '0', 'bytes']],
    ['one of a negative size', [{ ...file, bytes: -1 }], 'INVALID_INPUT', ['files', '0', 'bytes']],
    ['one larger than a store takes', [{ ...file, bytes: 5 * TIB + 1 }], 'LIMIT_EXCEEDED', ['files', '0', 'bytes']],
    ['more bytes than allowed', [file, { path: 'b', bytes: 2 * TIB }], 'LIMIT_EXCEEDED', ['files']],
    ['one path twice', [file, file], 'INVALID_INPUT', ['files', '1', 'path']],
    [
      'one below another',
      [
        { ...file, path: 'a/b/c' },
        { ...file, path: 'a' },
      ],
      'INVALID_INPUT',
      ['files', '0', 'path'],
    ],
    ['a digest that is none', [{ ...file, sha256: 'AB' }], 'INVALID_INPUT', ['files', '0', 'sha256']],
    [
      'a digest of parts',
      [{ ...file, bytes: 16 * MIB + 1, sha256: sha256('') }],
      'INVALID_INPUT',
      ['files', '0', 'sha256'],
    ],
  ])('are refused: %s', (_, files, code, path) => {
    expect(() => planUpload(files, TIB)).toThrow(
      expect.objectContaining({ code, details: expect.objectContaining({ path }) as object }) as Error,
    );
  });

  it.each([
    '',
    '/etc/passwd',
    '../a',
    'a/../../b',
    'a/./b',
    'a//b',
    'a/',
    'a\\b',
    'a\0b',
    'x'.repeat(256),
    'x/'.repeat(420) + 'x',
  ])('are refused for the path %j', (path) => {
    expect(() => planUpload([{ ...file, path }], TIB)).toThrow(
      expect.objectContaining({ code: 'UNSAFE_PATH' }) as Error,
    );
  });

  it('may have names of any language, beside and below each other', () => {
    const paths = ['train/猫/1.png', 'train/猫-2', 'train/dog/1.png', 'b'];
    expect(
      planUpload(
        paths.map((path) => ({ ...file, path })),
        TIB,
      ).map(({ path }) => path),
    ).toEqual(paths);
  });
});
