import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { type Ignored, ignore, safeMemberPath } from './class-folders.ts';
import { kindOfName } from './format.ts';
import { type ScanLimits } from './limits.ts';
import { nameOf } from './scan-raw.ts';
import { type SourceFiles } from './source-file.ts';
import { bodyOf, tarMembers } from './tar-members.ts';

/** An image of a WebDataset shard with what tells its class. */
export interface Sample {
  /** Path of its members without extension. */
  key: string;
  image: { name: string; bytes: Uint8Array; offset: number } | null;
  /** Text of `key.cls`. */
  cls: string | null;
  /** `key.json`, parsed; null where there is none, or no object in it. */
  json: Record<string, unknown> | null;
}

/** More than that describes no single image. */
const MAX_DESCRIPTION_BYTES = 1024 * 1024;

/** The samples of a tar: runs of members whose names agree up to the first dot of the last segment. */
export async function* samplesOf(
  path: string,
  options: {
    files: SourceFiles;
    gzip: boolean;
    limits: ScanLimits;
    ignored?: Ignored;
    pieceBytes?: number;
    signal?: AbortSignal | undefined;
  },
): AsyncGenerator<Sample> {
  let sample: Sample | null = null as Sample | null;
  for await (const member of tarMembers(path, options)) {
    throwIfAborted(options.signal);
    if (member.type === 'directory') continue;
    const name = safeMemberPath(member.name, path);
    if (member.type !== 'file' && member.type !== 'contiguous-file') {
      if (options.ignored) ignore(options.ignored, `${name} (${member.type ?? 'unknown type'})`);
      continue;
    }
    const { key, extension } = split(name);
    if (sample?.key !== key) {
      if (sample) yield sample;
      sample = { key, image: null, cls: null, json: null };
    }
    if (['cls', 'json'].includes(extension) && member.bytes > MAX_DESCRIPTION_BYTES) continue;
    if (extension === 'cls') sample.cls = new TextDecoder().decode(bodyOf(member, path, options.limits)).trim();
    else if (extension === 'json') sample.json = parsed(bodyOf(member, path, options.limits));
    else if (kindOfName(`x.${extension}`) !== 'image' || extension.includes('.')) continue;
    else if (sample.image) {
      throw invalid(
        `expected one image per sample in ${path}, got ${sample.image.name} and ${name}: leave one of them out`,
        { path, key },
      );
    } else sample.image = { name, bytes: bodyOf(member, path, options.limits), offset: member.offset };
  }
  if (sample) yield sample;
}

/**
 * The class by name where the JSON has one (`class`, `class_name` or `label`), else by number, of `cls` before the JSON.
 * @returns null if nothing tells it
 */
export function classOfSample(sample: Sample, classNames: readonly string[] | null, path: string): string | null {
  const { cls, json } = sample;
  const told = [json?.['class'], json?.['class_name'], json?.['label']];
  const name = told.find((value) => typeof value === 'string' && value !== '');
  if (name !== undefined) return name as string;
  const number = cls !== null ? Number(cls) : told.find((value) => typeof value === 'number');
  if (number === undefined || cls === '') return null;
  // Some write the name itself into .cls.
  if (cls !== null && Number.isNaN(number)) return cls;
  return nameOf(number as number, classNames, `${sample.key} in ${path}`);
}

/** Samples with an image that are looked at before a tar is taken for one of class folders. */
const LOOKED_AT = 4;
const LOOK_BYTES = 64 * 1024;

/** Whether a tar is a WebDataset shard: an image of its first has `.cls`, or JSON with a class, beside it. */
export async function isShard(path: string, options: Parameters<typeof samplesOf>[1]): Promise<boolean> {
  let looked = 0;
  for await (const sample of samplesOf(path, { ...options, pieceBytes: LOOK_BYTES })) {
    if (!sample.image) continue;
    if (sample.cls !== null || ['class', 'class_name', 'label'].some((field) => field in (sample.json ?? {})))
      return true;
    if (++looked === LOOKED_AT) return false;
  }
  return false;
}

function split(name: string): { key: string; extension: string } {
  const segment = name.lastIndexOf('/') + 1;
  const dot = name.indexOf('.', segment);
  // A hidden file has no key of its own.
  if (dot <= segment) return { key: name, extension: '' };
  return { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() };
}

function parsed(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
