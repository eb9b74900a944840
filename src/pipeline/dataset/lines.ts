import { invalid } from '../../base/errors.ts';
import { type ScannedImage } from '../ports.ts';

/**
 * Images as lines to sort: class name, where it stays, sha256, reference, with NUL between. NUL is below every character
 * of a name, so lines sort as the tuples do.
 */
export interface ImageLine {
  className: string;
  /** Number of the chunk of the version before that it stays in; null if it has none. */
  keep: string | null;
  sha256: string;
  /** JSON. */
  reference: string;
}

/** Above every digit: images that stay nowhere come last. */
const NOWHERE = '~';

export function lineOf({ className, keep, sha256, reference }: ImageLine): string {
  return `${className}\0${keep ?? NOWHERE}\0${sha256}\0${reference}`;
}

export function parseLine(line: string): ImageLine {
  const name = line.indexOf('\0');
  const kept = line.indexOf('\0', name + 1);
  const keep = line.slice(name + 1, kept);
  return {
    className: line.slice(0, name),
    keep: keep === NOWHERE ? null : keep,
    sha256: line.slice(kept + 1, kept + 65),
    reference: line.slice(kept + 66),
  };
}

export function scannedLine({ className, sha256, reference }: ScannedImage): string {
  if (!CLASS_NAME.test(className)) {
    throw invalid(
      `expected a class name of 1 to 255 characters without control characters, got ${JSON.stringify(className)} ` +
        `for ${reference.path}: rename the class`,
      { className },
    );
  }
  return lineOf({ className, keep: null, sha256, reference: JSON.stringify(reference) });
}

const CLASS_NAME = /^[^\u0000-\u001f\u007f]{1,255}$/;
