import { isAbsolute, relative } from 'node:path';
import { invalid, PushforwardError } from '../base/errors.ts';
import { isBelow, parseS3Url, s3Url } from '../base/s3-url.ts';
import { type RealPath } from './ports.ts';

/**
 * The name of a source of images to read in place: a real path, or `s3://bucket/key` without a slash at its end.
 * @param roots folders and `s3://` prefixes where reading is allowed; null: anywhere
 * @param own `s3://` prefix of the objects of all projects, which no import reads, whatever the roots; null: they are not in S3
 * @throws INVALID_INPUT, SOURCE_UNREADABLE, UNSAFE_PATH
 */
export async function resolveSource(
  path: string,
  roots: readonly string[] | null,
  realPath: RealPath,
  own: string | null,
): Promise<string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return await resolveReadable(path, roots, realPath);
  const found = parseS3Url(path);
  if (!found) {
    throw invalid(
      `expected an absolute path or s3://bucket/prefix, got ${JSON.stringify(path)}: correct it; bucket names are 3 to 63 small letters, digits, dots and hyphens`,
      { path: ['path'] },
    );
  }
  if (found.key !== '' && found.key.split('/').some((segment) => ['', '.', '..'].includes(segment))) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected a key of names joined by /, got ${JSON.stringify(found.key)}: leave out empty names, . and ..`,
      { path: ['path'] },
    );
  }
  const allowed = roots?.flatMap((root) => parseS3Url(root) ?? []);
  if (allowed && !allowed.some((root) => isBelow(found, root))) throw outside(path, roots!, 'prefix');
  const closed = own === null ? null : parseS3Url(own);
  if (closed && (isBelow(found, closed) || isBelow(closed, found))) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected a prefix beside that of the service's own objects, got ${path}: they are not for import, name the prefix of your images`,
      { path: ['path'] },
    );
  }
  return s3Url(found);
}

/**
 * The real path of something to read in place.
 * Links are followed first, so that a link inside a root cannot lead out of it.
 * @param roots where reading is allowed, those that are no folders count for nothing; null: anywhere
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
  const folders = roots?.filter((root) => isAbsolute(root));
  const realRoots = folders && (await Promise.all(folders.map(async (root) => (await realPath(root)) ?? root)));
  if (realRoots && !realRoots.some((root) => isWithin(root, real))) throw outside(real, roots!, 'folder');
  return real;
}

function outside(received: string, roots: readonly string[], what: 'folder' | 'prefix'): PushforwardError {
  return new PushforwardError(
    'UNSAFE_PATH',
    `expected a path under ${roots.join(' or ')}, got ${received}: move it there, or add its ${what} to PUSHFORWARD_IMPORT_ROOTS`,
    { path: ['path'] },
  );
}

function isWithin(root: string, path: string): boolean {
  const step = relative(root, path);
  return step === '' || (!step.startsWith('..') && !isAbsolute(step));
}
