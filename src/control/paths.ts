import { isAbsolute, relative, sep } from 'node:path';
import { invalid, PushforwardError } from '../base/errors.ts';
import { namelessSegment } from '../base/relative-path.ts';
import { isBelow, parseS3Url, s3Url } from '../base/s3-url.ts';
import { type RealPath } from './ports.ts';

/**
 * The name of a source of images to read in place: a real path, or `s3://bucket/key` without a slash at its end.
 * @param roots folders and `s3://` prefixes where reading is allowed; null: anywhere
 * @param own what no import reads, whatever the roots: the folder of the service's state, the `s3://` prefix of its objects
 * @throws INVALID_INPUT, SOURCE_UNREADABLE, UNSAFE_PATH
 */
export async function resolveSource(
  path: string,
  roots: readonly string[] | null,
  realPath: RealPath,
  own: readonly string[],
): Promise<string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) {
    const real = await resolveReadable(path, roots, realPath);
    const closed = await realFolders(own, realPath);
    if (closed.some((folder) => isWithin(folder, real))) throw notForImport(path, 'folder');
    const inside = closed.find((folder) => isWithin(real, folder) && !hidesBelow(real, folder));
    if (inside !== undefined) throw holdsOwn(path, inside);
    return real;
  }
  const found = parseS3Url(path);
  if (!found) {
    throw invalid(
      `expected an absolute path or s3://bucket/prefix, got ${JSON.stringify(path)}: correct it; bucket names are 3 to 63 small letters, digits, dots and hyphens`,
      { path: ['path'] },
    );
  }
  if (found.key !== '' && namelessSegment(found.key) !== null) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected a key of names joined by /, got ${JSON.stringify(found.key)}: leave out empty names, . and ..`,
      { path: ['path'] },
    );
  }
  const allowed = roots?.flatMap((root) => parseS3Url(root) ?? []);
  if (allowed && !allowed.some((root) => isBelow(found, root))) throw outside(path, roots!, 'prefix');
  const closed = own.flatMap((prefix) => parseS3Url(prefix) ?? []);
  if (closed.some((prefix) => isBelow(found, prefix) || isBelow(prefix, found))) throw notForImport(path, 'prefix');
  return s3Url(found);
}

function notForImport(received: string, what: 'folder' | 'prefix'): PushforwardError {
  return new PushforwardError(
    'UNSAFE_PATH',
    `expected a ${what} beside that of the service's own objects, got ${received}: they are not for import, name the ${what} of your images`,
    { path: ['path'] },
  );
}

function holdsOwn(received: string, inside: string): PushforwardError {
  return new PushforwardError(
    'UNSAFE_PATH',
    `expected a folder without the service's own objects, got ${received}, which holds them in ${inside}: name the folders of your images one by one`,
    { path: ['path'] },
  );
}

/** Whether an import of a folder passes over another one in it, as it does over all that is hidden. */
function hidesBelow(folder: string, inner: string): boolean {
  return relative(folder, inner)
    .split(sep)
    .some((name) => name.startsWith('.'));
}

/** Of a list that may hold `s3://` prefixes too; what is not there keeps its name. */
async function realFolders(places: readonly string[], realPath: RealPath): Promise<string[]> {
  const folders = places.filter((place) => isAbsolute(place));
  return await Promise.all(folders.map(async (folder) => (await realPath(folder)) ?? folder));
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
  const realRoots = roots && (await realFolders(roots, realPath));
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
  return step === '' || (namelessSegment(step.replaceAll(sep, '/')) === null && !isAbsolute(step));
}
