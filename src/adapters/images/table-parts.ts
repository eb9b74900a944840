import { basename } from 'node:path';
import { invalid } from '../../base/errors.ts';

/** `train-00000-of-00002.parquet`: what the set is called, which part of it this is, and of how many. */
const PART = /^(.*)-(\d+)-of-(\d+)\.parquet$/;

export const isPart = (file: string): boolean => PART.test(file);

/** @throws INVALID_INPUT where files that count their parts are not all of one set: an import would lack images, or have some twice */
export function checkParts(files: readonly string[], path: string): void {
  const sets = new Map<string, { total: string; parts: Set<number>; example: string }>();
  for (const file of files.map((name) => basename(name))) {
    const [, stem, part, total] = PART.exec(file) ?? [];
    if (stem === undefined) continue;
    const set = sets.get(stem) ?? { total: total!, parts: new Set(), example: file };
    sets.set(stem, set);
    if (set.total !== total) {
      throw invalid(
        `expected the parts of one set of ${stem} in ${path}, got ${set.example} beside ${file}: ` +
          'leave those of one set there, or name one file as the path',
        { path },
      );
    }
    set.parts.add(Number(part));
  }
  for (const [stem, { total, parts }] of sets) {
    const missing = firstMissing(parts, Number(total));
    if (missing === null) continue;
    throw invalid(
      `expected all ${Number(total)} parts of ${stem} in ${path}, got none called ` +
        `${stem}-${String(missing).padStart(total.length, '0')}-of-${total}.parquet: copy it there, or name one file as the path`,
      { path },
    );
  }
}

/** The least number from 0 that is not there, below `total`. */
function firstMissing(parts: ReadonlySet<number>, total: number): number | null {
  for (let part = 0; part < total; part++) if (!parts.has(part)) return part;
  return null;
}
