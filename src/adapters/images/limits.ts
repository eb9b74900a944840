import { limitExceeded } from './source-file.ts';

/** What a scan refuses as LIMIT_EXCEEDED, so that a hostile or broken source cannot fill memory or disk. */
export interface ScanLimits {
  /** Of one stored image; it is held in memory as a whole, so it must fit a pack. */
  maxImageBytes: number;
  /** Bytes that come out of a file over those in it, looked at once 64 MiB came out. `.tar.gz` of tiny images reach 30. */
  maxCompressionRatio: number;
  /** Of one Parquet row group, decoded, which it is as a whole. */
  maxRowGroupBytes: number;
  /** Images of a pack. One pack is held in memory. */
  packBytes: number;
  /**
   * Parquet files of up to so many bytes together are read in place; larger ones are packed. Samples are ordered by
   * digest, so a chunk has rows of nearly every row group: in place each chunk decodes nearly the whole table again.
   */
  parquetInPlaceBytes: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: ScanLimits = {
  maxImageBytes: 64 * MIB,
  maxCompressionRatio: 250,
  maxRowGroupBytes: 1024 * MIB,
  packBytes: 64 * MIB,
  parquetInPlaceBytes: 128 * MIB,
};

const RATIO_FROM_BYTES = 64 * MIB;

/** @param made bytes that came out of the first `compressed` bytes of a file */
export function checkRatio(path: string, made: number, compressed: number, { maxCompressionRatio }: ScanLimits): void {
  if (made <= RATIO_FROM_BYTES || made <= maxCompressionRatio * compressed) return;
  throw limitExceeded(
    path,
    `at most ${maxCompressionRatio} times the compressed bytes`,
    `${made} bytes out of the first ${compressed}`,
  );
}
