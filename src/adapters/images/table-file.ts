import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { DEFAULT_LIMITS } from './limits.ts';
import { asUnreadable, type SourceFile, unreadable } from './source-file.ts';
import { boundedCompressors, guardGroup } from './table-guard.ts';

export interface RowGroup {
  /** Rows, the end exclusive. */
  start: number;
  end: number;
  /** Its place in the file. */
  index: number;
}

/** An open Parquet file. */
export interface TableFile {
  metadata: FileMetaData;
  groups: RowGroup[];
  /**
   * Decodes these columns of one row group. Bytes stay bytes unless the column is typed as text.
   * @throws LIMIT_EXCEEDED where it would take more memory than a row group may
   */
  readGroup(group: RowGroup, columns: string[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/**
 * SOURCE_UNREADABLE if it is no whole Parquet file, which is closed then.
 * @param maxRowGroupBytes that a row group may take once it is decoded
 */
export async function openTable(
  path: string,
  source: SourceFile,
  maxRowGroupBytes = DEFAULT_LIMITS.maxRowGroupBytes,
): Promise<TableFile> {
  try {
    const file = bufferOf(source, path);
    const metadata = await parquetMetadataAsync(file);
    return {
      metadata,
      groups: groupsOf(metadata),
      readGroup: async ({ start, end, index }, columns) => {
        try {
          const limit = { path, maxBytes: maxRowGroupBytes };
          return (await parquetReadObjects({
            file: guardGroup(file, metadata.row_groups[index]!, columns, limit),
            metadata,
            columns,
            rowStart: start,
            rowEnd: end,
            utf8: false,
            compressors: boundedCompressors,
          })) as Record<string, unknown>[];
        } catch (error) {
          throw asUnreadable(path, `rows ${start} to ${end - 1}`, error);
        }
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw asUnreadable(path, 'a whole Parquet file', error);
  }
}

/** The stored image in a cell: a struct of bytes and path, or bytes alone. Null if it holds none. */
export function imageBytes(cell: unknown): Uint8Array | null {
  if (cell instanceof Uint8Array) return cell;
  const bytes = (cell as { bytes?: unknown } | null | undefined)?.bytes;
  return bytes instanceof Uint8Array ? bytes : null;
}

function groupsOf(metadata: FileMetaData): RowGroup[] {
  let start = 0;
  return metadata.row_groups.map((group, index) => {
    const end = start + Number(group.num_rows);
    const found = { start, end, index };
    start = end;
    return found;
  });
}

function bufferOf(source: SourceFile, path: string): AsyncBuffer {
  const byteLength = source.bytes;
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = await source.read(start, end - start);
      if (!bytes) throw unreadable(path, `${byteLength} bytes`, `fewer than ${end}`);
      const whole = bytes.byteLength === bytes.buffer.byteLength;
      return (whole ? bytes.buffer : Uint8Array.from(bytes).buffer) as ArrayBuffer;
    },
  };
}
