import { isAbsolute, relative } from 'node:path';
import { invalid, PushforwardError } from '../base/errors.ts';
import { type RealPath } from './ports.ts';

/**
 * The real path of something to read in place.
 * Links are followed first, so that a link inside a root cannot lead out of it.
 * @param roots where reading is allowed; null: anywhere
 * @throws INVALID_INPUT, SOURCE_UNREADABLE, UNSAFE_PATH
 */
export async function resolveReadable(
  path: string,
  roots: readonly string[] | null,
  realPath: RealPath,
): Promise<string> {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw invalid(
      `expected an absolute path on the machine of the service, got ${JSON.stringify(path)}: give the whole path`,
      {
        path: ['path'],
      },
    );
  }
  const real = await realPath(path);
  if (real === null) {
    throw new PushforwardError(
      'SOURCE_UNREADABLE',
      `expected a file or folder at ${path}, found nothing that the service can read: correct the path or its permissions`,
      { path: ['path'] },
    );
  }
  const realRoots = roots && (await Promise.all(roots.map(async (root) => (await realPath(root)) ?? root)));
  if (realRoots && !realRoots.some((root) => isWithin(root, real))) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected a path under ${realRoots.join(' or ')}, got ${real}: move it there, or add its folder to PUSHFORWARD_IMPORT_ROOTS`,
      { path: ['path'] },
    );
  }
  return real;
}

function isWithin(root: string, path: string): boolean {
  const step = relative(root, path);
  return step === '' || (!step.startsWith('..') && !isAbsolute(step));
}
