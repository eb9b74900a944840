import { basename } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { byCodeUnit } from '../../base/order.ts';

/** The splits of a source (train, test, ...), told from names alone. */

/** What a scan reads of a source, and what there is. */
export interface SplitChoice {
  /** Null where no name tells one. */
  split: string | null;
  /** Every one that names tell, `split` included, in order of their names. */
  splits: string[];
}

/** Who asks: the source, and the split to take; null or absent: the only one. */
export interface SplitRequest {
  path: string;
  split?: string | null | undefined;
}

/** The words that the `datasets` library knows splits by, and the name of MNIST's test files. */
const WORDS: Record<string, readonly string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation', 't10k'],
};
const SPLIT_OF_WORD = new Map(Object.entries(WORDS).flatMap(([split, words]) => words.map((word) => [word, split])));

/** `val` and `Validation` name one split. Null if the word names none. */
export function splitOfWord(word: string): string | null {
  return SPLIT_OF_WORD.get(word.toLowerCase()) ?? null;
}

/** `train`, `cifar10-train` and `train_images` tell train. Null where no word of the stem names a split, or words name several. */
export function splitOfStem(stem: string): string | null {
  const found = new Set(stem.split(/[^A-Za-z0-9]+/).flatMap((word) => splitOfWord(word) ?? []));
  return found.size === 1 ? [...found][0]! : null;
}

/** What the files of one set share: their name without extension and number. `train` of `data/train-00000-of-00002.parquet`. */
export function stemOf(file: string): string {
  return basename(file)
    .replace(/\.(tar|tar\.gz|tgz|parquet)$/, '')
    .replace(/[-_.]?\d+(-of-\d+)?$/, '');
}

/**
 * The split that each set of files is, by its stem: the one that a word of it names, or the stem itself. Where that names
 * two sets alike, all go by their stems. The only set there is may be of no split.
 */
export function splitsOfStems(stems: Iterable<string>): Map<string, string | null> {
  const sets = [...new Set(stems)];
  if (sets.length === 1) return new Map([[sets[0]!, splitOfStem(sets[0]!)]]);
  const names = sets.map((stem) => splitOfStem(stem) ?? stem);
  const apart = new Set(names).size === sets.length;
  return new Map(sets.map((stem, i) => [stem, apart ? names[i]! : stem]));
}

/**
 * The items of the split that was asked for. Where none was: all of the only split, with those of no split; of several,
 * the one called `otherwise`, if there is one.
 * @throws INVALID_INPUT which lists the splits
 */
export function takeSplit<T>(
  items: readonly T[],
  splitOf: (item: T) => string | null,
  { path, split }: SplitRequest,
  otherwise: string | null = null,
): SplitChoice & { items: T[] } {
  const splits = new Set(items.flatMap((item) => splitOf(item) ?? []));
  const wanted = split ?? (splits.size > 1 && otherwise !== null && splits.has(otherwise) ? otherwise : null);
  const choice = checkSplit(splits, { path, split: wanted });
  return { ...choice, items: wanted === null ? [...items] : items.filter((item) => splitOf(item) === choice.split) };
}

/** @throws INVALID_INPUT if there are several and none was asked for, or the one asked for is not there */
export function checkSplit(found: Iterable<string>, { path, split }: SplitRequest): SplitChoice {
  const splits = [...new Set(found)].sort(byCodeUnit);
  const asked = askedSplit(split);
  if (asked === null && splits.length > 1) {
    throw invalid(
      `expected one split in ${path}, got ${splits.join(', ')}: choose one with split (--split on the command line), or name its file or folder as the path`,
      { path, splits },
    );
  }
  if (asked !== null && !splits.includes(asked)) {
    throw invalid(
      `expected split ${asked} in ${path}, got ${splits.length > 0 ? splits.join(', ') : 'names that tell no split'}: ` +
        (splits.length > 0 ? 'choose one of these' : 'leave split out to take all images'),
      { path, split: asked, splits },
    );
  }
  return { split: asked ?? splits[0] ?? null, splits };
}

/** What its own name tells of a file. */
export function splitOfFile(path: string): SplitChoice {
  const split = splitOfStem(stemOf(path));
  return { split, splits: split === null ? [] : [split] };
}

/** The name that a split goes by here, whichever of its words was asked for. */
export function askedSplit(split: string | null | undefined): string | null {
  return split === null || split === undefined ? null : (splitOfWord(split) ?? split);
}
