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
  return new FoldersSeen(request, named);
}

interface FolderSeen {
  /** The class of its images. */
  name: string;
  images: number;
  companions: number;
  leaf: boolean;
  split: string | null;
}

/** A class for the reason that the parser of tars is one. */
class FoldersSeen implements ClassFolders {
  readonly ignored: Ignored = { count: 0, examples: [] };
  private readonly request: SplitRequest;
  private readonly named: SplitChoice;
  private readonly asked: string | null;
  private readonly folders = new Map<string, FolderSeen>();
  private readonly splits: Set<string>;

  constructor(request: SplitRequest, named: SplitChoice) {
    this.request = request;
    this.named = named;
    this.asked = askedSplit(request.split);
    this.splits = new Set(named.splits.filter((split) => split !== named.split));
  }

  folder(path: string): void {
    if (path !== '' && kindOfName(path) !== 'companion') this.record(path);
  }

  file(path: string): string | null {
    const kind = kindOfName(path);
    const folder = parentOf(path);
    if (kind !== 'image' || folder === '') {
      if (kind === 'companion') {
        const own = path.slice(folder.length).replace(/^\//, '');
        if (folder !== '' && !own.startsWith('.') && kindOfName(`${folder}/x.png`) === 'image')
          this.record(folder).companions += 1;
      } else ignore(this.ignored, path);
      return null;
    }
    const found = this.record(folder);
    found.images += 1;
    if (found.split !== null) this.splits.add(found.split);
    else if (this.asked !== null) ignore(this.ignored, `${path} (of no split)`);
    return this.isTaken(found.split) ? found.name : null;
  }

  emptyClasses(): string[] {
    const own = [...this.folders.values()].filter(({ split }) => this.belongs(split));
    const full = new Set(own.filter(({ images }) => images > 0).map(({ name }) => name));
    const empty = own
      .filter(({ images, companions, leaf }) => leaf && images === 0 && companions === 0)
      .map(({ name }) => name);
    return [...new Set(empty)].filter((name) => !full.has(name)).sort();
  }

  choice(): SplitChoice {
    return checkSplit(this.splits, this.request);
  }

  private record(path: string): FolderSeen {
    const known = this.folders.get(path);
    if (known) return known;
    const split = splitAbove(path) ?? this.named.split;
    const found = { name: path.slice(path.lastIndexOf('/') + 1), images: 0, companions: 0, leaf: true, split };
    this.folders.set(path, found);
    const parent = parentOf(path);
    if (parent !== '') this.record(parent).leaf = false;
    return found;
  }

  /** Of two splits, nothing more is taken: what remains is to learn which there are. */
  private isTaken(split: string | null): boolean {
    return this.asked === null ? this.splits.size < 2 : split === this.asked;
  }

  private belongs(split: string | null): boolean {
    if (this.asked !== null) return split === this.asked;
    return split === null || this.splits.size === 0 || this.splits.has(split);
  }
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
