import { type ClassBalance } from './balance.ts';
import { type DatasetVersionContent } from './version.ts';

/** What the images themselves tell, wherever they lie. A type, so that it is a JsonObject. */
export type ImagesFacts = {
  images: number;
  /** Of the stored images. */
  bytes: number;
  balance: ClassBalance;
  duplicates: DatasetVersionContent['duplicates'];
};

/** `50,000 images (120.1 MB) of 10 classes, 5,000 in each; no duplicates`. Class names in it may hold anything. */
export function describeImages({ images, bytes, balance, duplicates }: ImagesFacts): string {
  const { classes, smallest, largest, imbalanceRatio, effectiveClasses } = balance;
  const spread =
    smallest.images === largest.images
      ? `${count(smallest.images)} in each`
      : `from ${count(smallest.images)} (${smallest.name}) to ${count(largest.images)} (${largest.name}), ` +
        `${rounded(imbalanceRatio)} to 1, as even as ${rounded(effectiveClasses)} classes`;
  return `${counted(images, 'image')} (${size(bytes)}) of ${counted(classes, 'class', 'classes')}${classes > 1 ? `, ${spread}` : ''}; ${repeated(duplicates)}`;
}

/** `tar.gz, split train (others: test); passed over 3 files (a.heic, ...)`. The same images may come from elsewhere, too. */
export function describeSource({
  format,
  split,
  splits,
  ignored,
}: Pick<DatasetVersionContent, 'format' | 'split' | 'splits' | 'ignored'>): string {
  const others = splits.filter((name) => name !== split).join(', ');
  const own = split === null ? '' : `, split ${split}${others === '' ? '' : ` (others: ${others})`}`;
  const { examples } = ignored;
  const more = ignored.count > examples.length ? ', ...' : '';
  const passed =
    ignored.count === 0 ? '' : `; passed over ${counted(ignored.count, 'file')} (${examples.join(', ')}${more})`;
  return `${format}${own}${passed}`;
}

function repeated({ withinClass, acrossClasses }: ImagesFacts['duplicates']): string {
  const parts = [
    ...(withinClass > 0 ? [`${count(withinClass)} within classes`] : []),
    ...(acrossClasses > 0 ? [`${count(acrossClasses)} across classes`] : []),
  ];
  return parts.length > 0 ? `duplicates: ${parts.join(', ')}` : 'no duplicates';
}

const count = (value: number): string => value.toLocaleString('en-US');
const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;
/** With a decimal where it tells something: 1.04 is not 1, and 2.0 classes are not as even as 2. */
const rounded = (value: number): string => {
  const digits = value < 10 ? 1 : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
};

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}
