import { type ArchiveFile, type SyntheticRow } from '../ports.ts';

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
): Record<string, ArchiveFile[]> {
  const round = [...rows].sort((a, b) => a.point - b.point || a.label - b.label);
  const shards: Record<string, ArchiveFile[]> = {};
  let shard: ArchiveFile[] = [];
  let bytes = 0;
  const close = () => {
    if (shard.length === 0) return;
    shards[`webdataset-${String(Object.keys(shards).length).padStart(6, '0')}.tar`] = shard;
    shard = [];
    bytes = 0;
  };
  for (const [i, row] of round.entries()) {
    const sample = sampleOf(String(i).padStart(6, '0'), row, classes);
    const own = sample.reduce((sum, file) => sum + memberBytes(file), 0);
    if (bytes + own > shardBytes - TAR_END_BYTES) close();
    shard.push(...sample);
    bytes += own;
  }
  close();
  return shards;
}

const TAR_BLOCK_BYTES = 512;
const TAR_END_BYTES = 2 * TAR_BLOCK_BYTES;

/** What a file takes in a tar: a block of header, and its bytes in whole blocks. */
function memberBytes({ bytes }: ArchiveFile): number {
  return TAR_BLOCK_BYTES * (1 + Math.ceil(bytes.length / TAR_BLOCK_BYTES));
}

function sampleOf(key: string, row: SyntheticRow, classes: readonly string[]): ArchiveFile[] {
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
