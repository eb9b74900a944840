import { crc32, deflateSync, gzipSync } from 'node:zlib';
import { parquetHeader } from 'hyparquet/src/column.js';
import { parquetWriteBuffer } from 'hyparquet-writer';

/** A PNG of a few bytes whose header promises so many gray pixels. */
export function hugePng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc(1024));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A table of one image of zeros, some thousand times smaller as GZIP. With `codec` what a page becomes is up to the caller. */
export function zerosTable(bytes: number, codec: 'GZIP' | 'ZSTD' | 'BROTLI' = 'GZIP', compress = gzipped): Buffer {
  const columnData = [
    { name: 'image', data: [new Uint8Array(bytes)], type: 'BYTE_ARRAY' as const },
    { name: 'label', data: ['a'] },
  ];
  return Buffer.from(
    parquetWriteBuffer({ columnData, codec, compressors: { [codec]: compress }, statistics: false, dictionarySize: 0 }),
  );
}

const gzipped = (page: Uint8Array): Uint8Array => gzipSync(page);

/** The same file, which says of some size everywhere that it is another: sizes of about 2^27 and more take five bytes. */
export function lied(table: Buffer, size: number, told: number): Buffer {
  const [honest, lie] = [varint(size), varint(told, varint(size).length)];
  const copy = Buffer.from(table);
  for (let at = copy.indexOf(honest); at >= 0; at = copy.indexOf(honest, at + honest.length)) lie.copy(copy, at);
  return copy;
}

/** Some kilobytes whose footer promises 128 MiB, and whose page 2 GiB. */
export function parquetBomb(): Buffer {
  const table = zerosTable(128 * 1024 * 1024);
  const page = parquetHeader({ view: new DataView(table.buffer, table.byteOffset), offset: 4 });
  return lied(table, page.uncompressed_page_size, 2 ** 31 - 1);
}

/** As Thrift writes whole numbers; zeros at its end make it longer and no other. */
function varint(value: number, length = 0): Buffer {
  const bytes: number[] = [];
  for (let rest = 2 * value; rest > 0 || bytes.length < length; rest = Math.floor(rest / 128)) bytes.push(rest % 128);
  return Buffer.from(bytes.map((byte, i) => (i < bytes.length - 1 ? byte | 128 : byte)));
}

function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
