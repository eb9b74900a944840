import { invalid, PushforwardError } from '../../base/errors.ts';
import { kindOfName } from './format.ts';

const EXAMPLES = 5;
/** Names by which parts of a dataset go. */
export const SPLITS: ReadonlySet<string> = new Set([
  'train',
  'training',
  'test',
  'testing',
  'val',
  'valid',
  'validation',
  'dev',
  'eval',
]);

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
 * The rule of folders and archives alike: the class of an image is its parent folder, whatever lies above. Keeps one
 * small record per folder, none per image.
 */
export interface ClassFolders {
  readonly ignored: Ignored;
  /** Tells of a folder, whether or not something lies in it. Path relative, with `/`, without one at the end. */
  folder(path: string): void;
  /** Tells of a file. @returns its class, or null if it is no image or lies in no folder */
  file(path: string): string | null;
  /** Folders that should be classes but hold no image, by class name. */
  emptyClasses(): string[];
}

export function createClassFolders(source: string): ClassFolders {
  const folders = new Map<string, { images: number; companions: number; leaf: boolean }>();
  const ignored: Ignored = { count: 0, examples: [] };
  let split: string | null = null;

  const record = (path: string) => {
    let found = folders.get(path);
    if (found) return found;
    found = { images: 0, companions: 0, leaf: true };
    folders.set(path, found);
    const parent = parentOf(path);
    if (parent !== '') record(parent).leaf = false;
    return found;
  };

  const oneSplit = (folder: string) => {
    const name = folder
      .split('/')
      .slice(0, -1)
      .find((segment) => SPLITS.has(segment.toLowerCase()));
    if (name === undefined || name === split) return;
    if (split !== null) {
      throw invalid(
        `expected the images of one split in ${source}, got ${split} and ${name}: name one of them as the path, or pack it alone`,
        { path: source },
      );
    }
    split = name;
  };

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
      if (found.images === 0) oneSplit(folder);
      found.images += 1;
      return nameOf(folder);
    },
    emptyClasses() {
      const full = new Set([...folders].filter(([, { images }]) => images > 0).map(([path]) => nameOf(path)));
      const empty = [...folders]
        .filter(([, { images, companions, leaf }]) => leaf && images === 0 && companions === 0)
        .map(([path]) => nameOf(path));
      return [...new Set(empty)].filter((name) => !full.has(name)).sort();
    },
  };
}

/**
 * The path of a member of an archive without `./`. UNSAFE_PATH if it is absolute, has `..` or a drive, or a NUL.
 */
export function safeMemberPath(path: string, source: string): string {
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

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('/') + 1);
}
