import { invalid, PushforwardError } from '../base/errors.ts';
import { keyFault } from '../base/object-keys.ts';
import { MAX_UPLOAD_FILES } from '../base/upload-limits.ts';
import { type UploadOrder } from './ports.ts';

export interface UploadFileInput {
  /** Relative, with `/`. */
  path: string;
  bytes: number;
  /** Of the file, lower-case hex; only for one that is a single part. */
  sha256?: string | null;
}

/** The most that S3 takes as one object, and in how many parts. */
const MAX_FILE_BYTES = 5 * 1024 ** 4;
const MAX_PARTS = 10_000;
const MIB = 1024 ** 2;
/** Large enough that its requests cost little beside its bytes, small enough to be sent again. */
const PART_BYTES = 16 * MIB;
/** What is left of a key below the folder of an upload. */
const MAX_PATH_BYTES = 800;

/**
 * Checks the files of an upload and says how each is cut into parts.
 * @param maxBytes of all together
 * @throws INVALID_INPUT, UNSAFE_PATH, LIMIT_EXCEEDED; `details.path` names the field
 */
export function planUpload(files: readonly UploadFileInput[], maxBytes: number): UploadOrder['files'] {
  if (files.length === 0) throw invalid('expected at least one file, got none: name the files', { path: ['files'] });
  if (files.length > MAX_UPLOAD_FILES) {
    throw limit(`expected at most ${MAX_UPLOAD_FILES} files, got ${files.length}: pack them into a tar`, ['files']);
  }
  checkPaths(files.map((file) => file.path));
  files.forEach(checkFile);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > maxBytes) {
    throw limit(
      `expected at most ${maxBytes} bytes in one upload, got ${bytes}: upload less, or raise PUSHFORWARD_UPLOAD_MAX_BYTES`,
      ['files'],
    );
  }
  return files.map(({ path, bytes }) => ({ path, bytes, ...partsOf(bytes) }));
}

/** As few parts of 16 MiB or more as S3 takes. */
export function partsOf(bytes: number): { partBytes: number; partCount: number } {
  const partBytes = Math.max(PART_BYTES, Math.ceil(bytes / MAX_PARTS / MIB) * MIB);
  return { partBytes, partCount: Math.ceil(bytes / partBytes) };
}

/** @throws INVALID_INPUT unless it is the SHA-256 of something */
export function checkSha256(sha256: string, path: string[]): void {
  if (/^[0-9a-f]{64}$/.test(sha256)) return;
  throw invalid(
    `expected a SHA-256 of 64 lower-case hexadecimal digits, got ${JSON.stringify(sha256.slice(0, 100))}: correct it`,
    { path },
  );
}

function checkFile({ bytes, sha256 }: UploadFileInput, index: number): void {
  const at = (field: string) => ['files', String(index), field];
  if (bytes < 1) {
    throw invalid(`expected a file of 1 byte or more, got ${bytes}: leave empty files out`, { path: at('bytes') });
  }
  if (bytes > MAX_FILE_BYTES) {
    throw limit(`expected a file of at most ${MAX_FILE_BYTES} bytes (5 TiB), got ${bytes}: split it`, at('bytes'));
  }
  if (sha256 === null || sha256 === undefined) return;
  checkSha256(sha256, at('sha256'));
  const { partBytes, partCount } = partsOf(bytes);
  if (partCount === 1) return;
  throw invalid(
    `expected sha256 for files of one part (at most ${partBytes} bytes) alone, got it for one of ${bytes}: ` +
      'leave it out, and give the digests of its parts to signUploadParts',
    { path: at('sha256') },
  );
}

/** They become keys of a store, and those of a directory store are paths: none may lie below another. */
function checkPaths(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const [index, path] of paths.entries()) {
    const field = ['files', String(index), 'path'];
    const fault = Buffer.byteLength(path) > MAX_PATH_BYTES ? `longer than ${MAX_PATH_BYTES} bytes` : keyFault(path);
    if (fault) {
      throw new PushforwardError(
        'UNSAFE_PATH',
        `expected a relative path of names joined by /, got ${JSON.stringify(path.slice(0, 200))} (${fault}): correct it`,
        { path: field },
      );
    }
    if (seen.has(path)) throw invalid(`expected each path once, got ${path} twice: leave one out`, { path: field });
    seen.add(path);
  }
  for (const [index, path] of paths.entries()) {
    const above = foldersOf(path).find((folder) => seen.has(folder));
    if (above === undefined) continue;
    throw invalid(`expected files, got ${above}, which is the folder of ${path} too: rename one`, {
      path: ['files', String(index), 'path'],
    });
  }
}

/** `a/b/c` lies in `a` and `a/b`. */
function foldersOf(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}

const limit = (message: string, path: string[]) => new PushforwardError('LIMIT_EXCEEDED', message, { path });
