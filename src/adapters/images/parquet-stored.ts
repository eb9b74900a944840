import { ByteWriter } from 'hyparquet-writer';
import { getPageBoundaries, type writeColumn } from 'hyparquet-writer/src/column.js';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js';

export type WrittenColumn = ReturnType<typeof writeColumn>;

export const PAGE_BYTES = 1024 * 1024;

/** Of a field of a struct, where neither is null. */
const LEVEL = 2;
const LEVEL_BITS = 2;
const LENGTH_BYTES = 4;

/**
 * A column chunk of images or their names in PLAIN encoding, each value copied once, to where it goes. Not compressed and
 * without statistics: PNG does not compress, no two images are alike, and nobody looks for the least of them. Values are
 * fields of a struct, and none is null.
 */
export function writeStored(
  writer: ByteWriter,
  { element, schemaPath }: Pick<Parameters<typeof writeColumn>[0]['column'], 'element' | 'schemaPath'>,
  values: readonly Uint8Array[] | readonly string[],
): WrittenColumn {
  const begin = writer.offset;
  const pages = getPageBoundaries([...values], element.type!, undefined, PAGE_BYTES).map(({ start, end }) => {
    const offset = writer.offset;
    writePage(writer, values.slice(start, end));
    return {
      offset: BigInt(offset),
      compressed_page_size: writer.offset - offset,
      first_row_index: BigInt(start),
    };
  });
  const bytes = BigInt(writer.offset - begin);
  const written: WrittenColumn = {
    chunk: {
      meta_data: {
        type: element.type!,
        encodings: ['PLAIN'],
        path_in_schema: schemaPath.slice(1).map(({ name }) => name),
        codec: 'UNCOMPRESSED',
        num_values: BigInt(values.length),
        total_compressed_size: bytes,
        total_uncompressed_size: bytes,
        data_page_offset: BigInt(begin),
      },
      file_offset: BigInt(begin),
    },
  };
  if (pages.length > 1) written.offsetIndex = { page_locations: pages };
  return written;
}

function writePage(writer: ByteWriter, values: readonly (Uint8Array | string)[]): void {
  const levels = new ByteWriter();
  const levelBytes = writeRleBitPackedHybrid(levels, new Array<number>(values.length).fill(LEVEL), LEVEL_BITS);
  let valueBytes = 0;
  for (const value of values) valueBytes += LENGTH_BYTES + Buffer.byteLength(value);
  writePageHeader(writer, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: levelBytes + valueBytes,
    compressed_page_size: levelBytes + valueBytes,
    data_page_header_v2: {
      num_values: values.length,
      num_nulls: 0,
      num_rows: values.length,
      encoding: 'PLAIN',
      definition_levels_byte_length: levelBytes,
      repetition_levels_byte_length: 0,
      is_compressed: true,
    },
  });
  writer.appendBytes(levels.getBytes());
  writer.ensure(valueBytes);
  const into = Buffer.from(writer.buffer, writer.index, valueBytes);
  let at = 0;
  for (const value of values) {
    const from = at + LENGTH_BYTES;
    if (typeof value === 'string') at = from + into.write(value, from);
    else {
      into.set(value, from);
      at = from + value.length;
    }
    into.writeUInt32LE(at - from, from - LENGTH_BYTES);
  }
  writer.offset += valueBytes;
  writer.index += valueBytes;
}
