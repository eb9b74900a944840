import { PushforwardError } from '../../base/errors.ts';
import { kindOfName } from './format.ts';
import { askedSplit, checkSplit, type SplitChoice, splitOfWord, type SplitRequest } from './splits.ts';

const EXAMPLES = 5;

/** What a scan passed over. */
export interface Ignored {
  count: number;
  examples: string[];
}

export function ignore(ignored: Ignored, what: string): void {
  ignored.count += 1;
  if (ignored.examples.length < EXAMPLES) ignored.examples.push(what);
}

/**
 * The rule of folders and archives alike: the class of an image is its parent folder, its split the one that a folder above
 * is called after. Keeps one small record per folder, none per image.
 */
export interface ClassFolders {
  readonly ignored: Ignored;
  /** Tells of a folder, whether or not something lies in it. Path relative, with `/`, without one at the end. */
  folder(path: string): void;
  /** Tells of a file. @returns its class, or null if it is no image, lies in no folder or is of another split */
  file(path: string): string | null;
  /** Folders that should be classes but hold no image, by class name. */
  emptyClasses(): string[];
  /** Once every file was told. @throws INVALID_INPUT if it was not one split that was found, or not the one asked for */
  choice(): SplitChoice;
}

/** @param named what the name of the whole tells: the split of images that no folder puts into one */
export function createClassFolders(
  request: SplitRequest,
  named: SplitChoice = { split: null, splits: [] },
): ClassFolders {
  const folders = new Map<string, { images: number; companions: number; leaf: boolean; split: string | null }>();
  const ignored: Ignored = { count: 0, examples: [] };
  const asked = askedSplit(request.split);
  const splits = new Set(named.splits.filter((split) => split !== named.split));

  const record = (path: string) => {
    let found = folders.get(path);
    if (found) return found;
    found = { images: 0, companions: 0, leaf: true, split: splitAbove(path) ?? named.split };
    folders.set(path, found);
    const parent = parentOf(path);
    if (parent !== '') record(parent).leaf = false;
    return found;
  };

  /** Of two splits, nothing more is taken: what remains is to learn which there are. */
  const taken = (split: string | null) => (asked === null ? splits.size < 2 : split === asked);
  const belongs = (split: string | null) =>
    asked === null ? split === null || splits.size === 0 || splits.has(split) : split === asked;

  return {
    ignored,
    folder(path) {
      if (path !== '' && kindOfName(path) !== 'companion') record(path);
    },
    file(path) {
      const kind = kindOfName(path);
      const folder = parentOf(path);
      if (kind !== 'image' || folder === '') {
        if (kind === 'companion') {
          const own = path.slice(folder.length).replace(/^\//, '');
          if (folder !== '' && !own.startsWith('.') && kindOfName(`${folder}/x.png`) === 'image')
            record(folder).companions += 1;
        } else ignore(ignored, path);
        return null;
      }
      const found = record(folder);
      found.images += 1;
      if (found.split !== null) splits.add(found.split);
      else if (asked !== null) ignore(ignored, `${path} (of no split)`);
      return taken(found.split) ? nameOf(folder) : null;
    },
    emptyClasses() {
      const own = [...folders].filter(([, { split }]) => belongs(split));
      const full = new Set(own.filter(([, { images }]) => images > 0).map(([path]) => nameOf(path)));
      const empty = own
        .filter(([, { images, companions, leaf }]) => leaf && images === 0 && companions === 0)
        .map(([path]) => nameOf(path));
      return [...new Set(empty)].filter((name) => !full.has(name)).sort();
    },
    choice: () => checkSplit(splits, request),
  };
}

/** The nearest folder above the class that is called after a split. */
function splitAbove(folder: string): string | null {
  const above = folder.split('/').slice(0, -1);
  return above.map(splitOfWord).findLast((split) => split !== null) ?? null;
}

/**
 * The path of a member of an archive without `./`. UNSAFE_PATH if it is absolute, has `..` or a drive, or a NUL.
 */
export function safeMemberPath(path: string, source: string): string {
  if (!TO_LOOK_AT.test(path)) return path;
  const segments = path.replaceAll('\\', '/').split('/');
  if (path.startsWith('/') || segments.includes('..') || path.includes('\0') || /^[A-Za-z]:/.test(path)) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected paths below the root of ${source}, got ${JSON.stringify(path)}: repack the archive with relative paths`,
      { path: source, member: path },
    );
  }
  return path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/');
}

/** Segments that are empty or only dots, backslashes, NULs, drives: one look tells nearly every path of an archive to have none. */
const TO_LOOK_AT = /(?:^|\/)\.{0,2}(?:\/|$)|[\\\0]|^[A-Za-z]:/;

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('/') + 1);
}
