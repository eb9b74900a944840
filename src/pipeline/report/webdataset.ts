import { type TarFile, tarBytes, writeTar } from '../formats/tar.ts';
import { type SyntheticRow } from '../ports.ts';

/** A shard ends before it would exceed this. */
const SHARD_BYTES = 256 * 1024 * 1024;

/**
 * WebDataset shards by name: a sample is `key.png`, `key.cls` (the label as a number) and `key.json` (class, weight, soft
 * label). Samples go round the classes, so that the beginning of a shard has all of them.
 */
export function webDataset(
  classes: readonly string[],
  rows: readonly SyntheticRow[],
  shardBytes = SHARD_BYTES,
): Record<string, Uint8Array> {
  const round = [...rows].sort((a, b) => a.point - b.point || a.label - b.label);
  const shards: Record<string, Uint8Array> = {};
  let shard: TarFile[] = [];
  let bytes = 0;
  const close = () => {
    if (shard.length === 0) return;
    shards[`webdataset-${String(Object.keys(shards).length).padStart(6, '0')}.tar`] = writeTar(shard);
    shard = [];
    bytes = 0;
  };
  for (const [i, row] of round.entries()) {
    const sample = sampleOf(String(i).padStart(6, '0'), row, classes);
    const own = tarBytes(sample);
    if (bytes + own > shardBytes) close();
    shard.push(...sample);
    bytes += own;
  }
  close();
  return shards;
}

function sampleOf(key: string, row: SyntheticRow, classes: readonly string[]): TarFile[] {
  const text = (value: string) => new TextEncoder().encode(value);
  const json = {
    class: classes[row.label]!,
    label: row.label,
    weight: Math.fround(row.weight),
    soft_label: row.softLabel,
    point: row.point,
    cell_count: row.cellCount,
  };
  return [
    { path: `${key}.cls`, bytes: text(String(row.label)) },
    { path: `${key}.json`, bytes: text(JSON.stringify(json)) },
    { path: `${key}.png`, bytes: row.imagePng },
  ];
}
