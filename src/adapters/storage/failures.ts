import { PushforwardError } from '../../base/errors.ts';

/** The `code` of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'syscall' in error ? (error as NodeJS.ErrnoException).code : undefined;
}

export const isMissing = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';

/** The source of a body failed, not the store: its error is handed on as it is, even if it is a system error. */
export class BodyFailure extends Error {}

/** System errors become STORE_UNAVAILABLE with a remedy; anything else is handed on as it is. */
export function storeFailure(error: unknown, doing: string): unknown {
  if (error instanceof BodyFailure) return error.cause;
  const code = errnoOf(error);
  if (!code) return error;
  const remedy = REMEDIES[code] ?? 'look at the disk and try again';
  return new PushforwardError(
    'STORE_UNAVAILABLE',
    `expected to be able to ${doing}, got ${code}: ${remedy}`,
    { errno: code },
    { cause: error },
  );
}

const REMEDIES: Record<string, string> = {
  ENOSPC: 'the disk is full, free space or move the store',
  EDQUOT: 'the disk quota is used up, free space or raise it',
  EROFS: 'the file system is read-only, choose another folder',
  EACCES: 'give the user of the service access to the folder',
  EPERM: 'give the user of the service access to the folder, on a file system with hard links',
  ENOTSUP: 'choose a folder on a file system with hard links',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  ENFILE: 'raise the limit of open files of the machine',
};

/** What to do where an object is not in the store. */
export const GONE = 'launch again what made it, or restore it from a backup';
