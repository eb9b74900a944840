import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { namelessSegment } from '../../src/base/relative-path.ts';

it('a path of names alone is as it is below any folder, and no other is', () => {
  const segment = fc.constantFrom('', '.', '..', 'a', '...', '..b', '.c');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const path = segments.join('/');
      const stays = posix.join('/root', path) === `/root/${path}` && !path.endsWith('/');
      expect(namelessSegment(path) === null).toBe(stays);
    }),
  );
});

it.each([
  ['/a', ''],
  ['a//b', ''],
  ['a/./b', '.'],
  ['a/../b', '..'],
  ['..a/b..', null],
])('of %s it tells %j', (path, segment) => {
  expect(namelessSegment(path)).toBe(segment);
});
