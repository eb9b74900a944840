import { PushforwardError } from '../../base/errors.ts';
import { namelessSegment } from '../../base/relative-path.ts';

/** @throws UNSAFE_PATH for a key that as a path would lead elsewhere: stores take any, folders on a disk do not */
export function checkObjectPath(path: string, folder: string): void {
  const bad = namelessSegment(path);
  if (bad === null) return;
  throw new PushforwardError(
    'UNSAFE_PATH',
    `expected keys of names joined by / below ${folder}, got ${JSON.stringify(path)} with ${bad === '' ? 'an empty name' : `a name ${bad}`}: ` +
      'rename that object, or name a prefix that leaves it out',
    { path: folder, key: path },
  );
}
