import { invalid } from '../../base/errors.ts';
import { normalQuantile } from './normal.ts';
import { philox4x32 } from './philox.ts';

/**
 * Random numbers that are counted, never drawn in order: number `index` of a stream is a pure function of
 * (seed, class, purpose, item, index), so any sharding, batch and resumption see the same ones.
 */
export interface RandomStream {
  /** Uniform in the open interval (0, 1), 53 bits. */
  uniform(index: number): number;
  /** Standard normal, by the inverse distribution function: one uniform each, no trigonometry. */
  normal(index: number): number;
  /** `count` normals from `first` on, rounded to float32. */
  normals(count: number, first?: number): Float32Array;
}

export interface StreamKey {
  /** integer, 0 to 2^53 - 1 */
  readonly seed: number;
  /** integer, 0 to 2^32 - 1 */
  readonly classIndex: number;
  /** what the numbers are for, such as `seeding`: two purposes never share numbers */
  readonly purpose: string;
  /** which of them: a restart, a point; integer, 0 to 2^32 - 1; default 0 */
  readonly item?: number;
}

/** @throws INVALID_INPUT if a part of the key is out of its range */
export function randomStream({ seed, classIndex, purpose, item = 0 }: StreamKey): RandomStream {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw invalid(`expected a seed that is an integer from 0 to 2^53 - 1, got ${seed}: choose another`, { seed });
  assertWord('class index', classIndex);
  assertWord('item', item);
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const;
  const purposeWord = fnv1a(purpose);
  const block = new Uint32Array(4);
  let current = -1;

  const uniform = (index: number): number => {
    const wanted = Math.floor(index / 2);
    if (wanted !== current) {
      philox4x32(wanted, item, classIndex, purposeWord, key[0], key[1], block);
      current = wanted;
    }
    const lane = (index % 2) * 2;
    return ((block[lane]! >>> 5) * 2 ** 26 + (block[lane + 1]! >>> 6) + 0.5) / 2 ** 53;
  };
  const normal = (index: number): number => normalQuantile(uniform(index));
  return {
    uniform,
    normal,
    normals: (count, first = 0) => Float32Array.from({ length: count }, (_, i) => normal(first + i)),
  };
}

function assertWord(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw invalid(`expected a ${what} that is an integer from 0 to 2^32 - 1, got ${value}: choose another`, { value });
}

/** 32 bits of a name: Fowler, Noll and Vo's hash 1a over UTF-16 code units. */
function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
