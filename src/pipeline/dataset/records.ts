import { invalid } from '../../base/errors.ts';
import { type ImageReference, type ScannedImage } from '../ports.ts';

/** What is sorted: by group, then digest, then the rest, each by UTF-16 code unit. None has a tab or a line feed. */
export interface SortRecord<Rest = string> {
  group: string;
  /** Lower-case hex. */
  sha256: string;
  rest: Rest;
}

/** How rests become text: in UTF-8 where they are kept, since as strings most of them would live for no longer than that. */
export interface RestWriter<Rest> {
  /** At least what `write` writes. */
  maxBytes(rest: Rest): number;
  /** @returns the end of what it wrote */
  write(rest: Rest, bytes: Buffer, at: number): number;
}

export const TEXT: RestWriter<string> = {
  maxBytes: (text) => 3 * text.length,
  write: (text, bytes, at) => at + bytes.write(text, at),
};

/** Below zero where `a` comes first. */
export function compareRecords(a: SortRecord, b: SortRecord): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  if (a.sha256 !== b.sha256) return a.sha256 < b.sha256 ? -1 : 1;
  return a.rest < b.rest ? -1 : a.rest > b.rest ? 1 : 0;
}

/** What the images of one group have in common. Their `rest` is the reference, see `REFERENCE`. */
export interface ImageGroup {
  className: string;
  /** Number of the chunk of the version before that they stay in; null if they have none. */
  keep: string | null;
}

/** Above every digit: images that stay nowhere come last. */
const NOWHERE = '~';

/** With NUL between, which is below every character of a name, so that groups sort as the pairs do. */
export const groupOf = ({ className, keep }: ImageGroup): string => `${className}\0${keep ?? NOWHERE}`;

export function parseGroup(group: string): ImageGroup {
  const end = group.indexOf('\0');
  const keep = group.slice(end + 1);
  return { className: group.slice(0, end), keep: keep === NOWHERE ? null : keep };
}

/**
 * INVALID_INPUT for class names that cannot be shown.
 * @param groups of the class names that were seen; filled
 */
export function recordsOf(images: readonly ScannedImage[], groups: Map<string, string>): SortRecord<ImageReference>[] {
  const records: SortRecord<ImageReference>[] = [];
  for (const { className, sha256, reference } of images) {
    let group = groups.get(className);
    if (group === undefined) {
      checkName(className, reference.path);
      groups.set(className, (group = groupOf({ className, keep: null })));
    }
    records.push({ group, sha256, rest: reference });
  }
  return records;
}

function checkName(className: string, path: string): void {
  if (CLASS_NAME.test(className)) return;
  throw invalid(
    `expected a class name of 1 to 255 characters in UTF-8, none of them a control character, got ${JSON.stringify(className)} ` +
      `for ${JSON.stringify(path)}: rename the class`,
    { className },
  );
}

/** U+FFFD stands for bytes that are no UTF-8: several names may be one then. */
const CLASS_NAME = /^[^\u0000-\u001f\u007f\ufffd]{1,255}$/;
