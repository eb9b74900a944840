import { type FileMetaData, parquetSchema } from 'hyparquet';
import { invalid } from '../../base/errors.ts';

/** Which columns of a table are image and label, and what the labels are called. */
export interface TableLayout {
  image: string;
  label: string;
  /** By value of an integer label; null where the labels are text, or integers without names. */
  classNames: string[] | null;
}

interface Feature {
  _type?: string;
  names?: string[];
}

/**
 * Reads the features of the key `huggingface`, and without them looks for columns `image` (or `img`) and `label`.
 * INVALID_INPUT names the columns there are.
 */
export function tableLayout(metadata: FileMetaData, path: string): TableLayout {
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const features = Object.entries(featuresOf(metadata)).filter(([name]) => columns.includes(name));
  const ofType = (type: string) => features.filter(([, feature]) => feature._type === type).map(([name]) => name);
  const image = one(ofType('Image'), ['image', 'img'], columns);
  const label = one(ofType('ClassLabel'), ['label', 'class', 'fine_label'], columns);
  if (image === null || label === null) {
    throw invalid(
      `expected one image column and one label column (image, label) in ${path}, got ${columns.join(', ')}: ` +
        'rename the columns, or keep one ClassLabel',
      { path },
    );
  }
  const names = features.find(([name]) => name === label)?.[1].names;
  return { image, label, classNames: Array.isArray(names) ? names : null };
}

/** The only one of its type; of several, or none, the one with a usual name. */
function one(typed: string[], usual: string[], columns: string[]): string | null {
  if (typed.length === 1) return typed[0]!;
  return usual.find((name) => (typed.length > 0 ? typed : columns).includes(name)) ?? null;
}

function featuresOf(metadata: FileMetaData): Record<string, Feature> {
  const text = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  if (text === undefined) return {};
  try {
    const parsed = JSON.parse(text) as { info?: { features?: Record<string, Feature> } };
    return parsed.info?.features ?? {};
  } catch {
    return {};
  }
}
