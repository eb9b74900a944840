import { brotliDecompressSync } from 'node:zlib';
import { decompress as unzstd } from 'fzstd';
import { type AsyncBuffer, type Compressors, type FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetHeader } from 'hyparquet/src/column.js';
import { limitExceeded, unreadable } from './source-file.ts';

/** What a row takes in memory beside its bytes: an object of its own and one of its image. */
const ROW_BYTES = 128;
/** The same of a value in a column, with its levels. */
const VALUE_BYTES = 16;
/** The least that an entry of a dictionary takes in its page. */
const ENTRY_BYTES = 4;

/**
 * A file as the decoder may read one row group of it. Nothing that the footer promises is believed: each page of the columns
 * is looked at before it is decoded, and what it would take is counted, so that some kilobytes cannot fill the memory.
 *
 * Reading is LIMIT_EXCEEDED where the group would take more than `maxBytes`, SOURCE_UNREADABLE where a page contradicts itself.
 */
export function guardGroup(
  file: AsyncBuffer,
  group: FileMetaData['row_groups'][number],
  columns: readonly string[],
  { path, maxBytes }: { path: string; maxBytes: number },
): AsyncBuffer {
  let spent = 0;
  const spend = (bytes: number) => {
    spent += bytes;
    if (spent <= maxBytes) return;
    throw limitExceeded(path, `row groups of at most ${maxBytes} bytes once decoded`, `one of at least ${spent}`);
  };
  const whole = (what: string, ...counts: (number | bigint)[]) => {
    if (counts.every((count) => count >= 0)) return;
    throw unreadable(path, `sizes of 0 or more in ${what}`, counts.join(', '));
  };

  whole('a row group', group.num_rows, group.total_byte_size);
  // Where the footer is honest, it spares the reading.
  spend(Number(group.total_byte_size));
  spent = 0;
  spend(ROW_BYTES * Number(group.num_rows));

  const chunks = group.columns.flatMap(({ meta_data: of }) => {
    if (!of || !columns.includes(of.path_in_schema[0]!)) return [];
    const start = Number(of.dictionary_page_offset || of.data_page_offset);
    const name = `column ${of.path_in_schema.join('.')}`;
    whole(name, start, of.total_compressed_size);
    return [{ name, start, end: start + Number(of.total_compressed_size) }];
  });

  const checkPages = (name: string, view: DataView) => {
    const reader = { view, offset: 0 };
    // Where the decoder ends, too.
    while (reader.offset < view.byteLength - 1) {
      const page = parquetHeader(reader);
      const data = page.data_page_header ?? page.data_page_header_v2;
      const entries = page.dictionary_page_header?.num_values ?? 0;
      const values = data?.num_values ?? 0;
      const bytes = page.uncompressed_page_size;
      whole(`a page of ${name}`, page.compressed_page_size, bytes, entries, values);
      if (entries * ENTRY_BYTES > bytes) {
        throw unreadable(path, `a dictionary of ${name} that fits ${bytes} bytes`, `${entries} entries`);
      }
      spend(bytes + VALUE_BYTES * (entries + values));
      // Each value may repeat all of the one before.
      if (data?.encoding === 'DELTA_BYTE_ARRAY') spend(bytes * values);
      reader.offset += page.compressed_page_size;
    }
  };

  return {
    byteLength: file.byteLength,
    async slice(start, end = file.byteLength) {
      const bytes = await file.slice(start, end);
      for (const chunk of chunks) {
        if (chunk.start < start || chunk.end > end) continue;
        checkPages(chunk.name, new DataView(bytes, chunk.start - start, chunk.end - chunk.start));
      }
      return bytes;
    },
  };
}

/** Those that would take as much memory as the compressed bytes ask for, whatever the page says, are bound to its length. */
export const boundedCompressors: Compressors = {
  ...compressors,
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => unzstd(input, new Uint8Array(length)),
};
