import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { parquetMetadata } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { describe, expect, it } from 'vitest';
import { boundedCompressors, guardGroup } from '../../../src/adapters/images/table-guard.ts';
import { sha256 } from '../../../src/base/json.ts';
import { lied, zerosTable } from '../../support/bad-images.ts';
import { withFolder, writeParquet } from '../../support/image-sources.ts';
import { scanned } from '../../support/scanned.ts';

type PageHeader = Parameters<typeof writePageHeader>[1];
const MIB = 1024 * 1024;

const bufferOf = (bytes: Uint8Array) =>
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;

/** A page header, without the page. */
function header(more: Partial<PageHeader>): Uint8Array {
  const writer = new ByteWriter();
  writePageHeader(writer, {
    type: 'DATA_PAGE',
    uncompressed_page_size: 10,
    compressed_page_size: 0,
    ...more,
  } as PageHeader);
  return writer.getBytes();
}

/** Reads a column that consists of these bytes, of which the footer promises nothing but good. */
async function read(bytes: Uint8Array, rows = 1n): Promise<number> {
  const file = { byteLength: bytes.length, slice: () => bufferOf(bytes) };
  const column = {
    path_in_schema: ['image', 'bytes'],
    data_page_offset: 0n,
    total_compressed_size: BigInt(bytes.length),
  };
  const group = { columns: [{ meta_data: column }], num_rows: rows, total_byte_size: 1n };
  const guarded = guardGroup(file, group as never, ['image'], { path: 'x.parquet', maxBytes: MIB });
  return (await guarded.slice(0, bytes.length)).byteLength;
}

const data = (num_values: number, encoding = 'PLAIN') => ({
  data_page_header: {
    num_values,
    encoding,
    definition_level_encoding: 'RLE',
    repetition_level_encoding: 'RLE',
  } as NonNullable<PageHeader['data_page_header']>,
});

describe('a row group', () => {
  const many = (one: Uint8Array, count: number) => Buffer.concat(Array.from({ length: count }, () => one));

  it('is read as it is where it says what it takes', async () => {
    const pages = many(header(data(3)), 4);
    expect(await read(pages)).toBe(pages.length);
  });

  it.each([
    ['pages that are larger together', many(header({ uncompressed_page_size: MIB / 2 - 100, ...data(1) }), 3)],
    ['values that no bytes stand for', header(data(MIB))],
    ['values that repeat each other', header({ uncompressed_page_size: 4000, ...data(1000, 'DELTA_BYTE_ARRAY') })],
  ])('is refused for %s', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: /x\.parquet/ as never });
  });

  it('is refused for rows that no bytes stand for', async () => {
    await expect(read(header(data(1)), BigInt(MIB))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it.each([
    ['page that ends before it begins', header({ compressed_page_size: -5, ...data(1) })],
    ['page of fewer than no values', header(data(-1))],
    [
      'dictionary without room for its entries',
      header({ dictionary_page_header: { num_values: 1000, encoding: 'PLAIN' } as never }),
    ],
  ])('is unreadable for a %s', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', message: /image\.bytes/ as never });
  });
});

describe('a table whose footer is false', () => {
  const bytes = 3 * MIB;
  const honest = zerosTable(bytes);
  const group = parquetMetadata(bufferOf(honest)).row_groups[0]!;
  const total = Number(group.total_byte_size);

  it('is found out by its pages', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'false.parquet');
      const table = lied(honest, total, 1000);
      expect(Number(parquetMetadata(bufferOf(table)).row_groups[0]!.total_byte_size)).toBe(1000);
      await writeFile(path, table);
      await expect(scanned(path, { maxRowGroupBytes: MIB })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect((await scanned(path, { maxRowGroupBytes: 2 * bytes })).images).toMatchObject([
        { className: 'a', reference: { bytes } },
      ]);
    }));

  it.each([
    ['BROTLI', (input: Uint8Array) => brotliCompressSync(Buffer.concat([input, new Uint8Array(32 * MIB)]))],
    ['ZSTD', () => zstdOfZeros(32 * MIB)],
  ] as const)('gets no more memory for what is in a page by %s than its header says', (codec, compress) => {
    const page = compress(new Uint8Array(1000));
    let length: number | null;
    try {
      length = boundedCompressors[codec]!(page, 1000).length;
    } catch {
      length = null;
    }
    expect([null, 1000]).toContain(length);
  });
});

it('a table that makes far more of its bytes than there are is refused, as a tar is', () =>
  withFolder(async (folder) => {
    // One image in the dictionary, named by each row.
    const image = new Uint8Array(MIB);
    const files = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`a/${i}.png`, image]));
    const path = await writeParquet(join(folder, 'same.parquet'), files, null, 1000);
    await expect(scanned(path, { maxCompressionRatio: 20 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: /at most 20 times the compressed bytes in .*same\.parquet/ as never,
    });
  }));

it.each([
  ['GZIP', gzipSync],
  ['BROTLI', brotliCompressSync],
  ['ZSTD', zstdCompressSync],
] as const)('a table by %s is read', (codec, compress) =>
  withFolder(async (folder) => {
    const path = join(folder, 'table.parquet');
    await writeFile(path, zerosTable(5000, codec, compress));
    const digest = sha256(new Uint8Array(5000));
    expect((await scanned(path)).images).toMatchObject([{ className: 'a', sha256: digest }]);
  }),
);

/** A frame of blocks that repeat a byte: 131072 zeros in four bytes. */
function zstdOfZeros(bytes: number): Uint8Array {
  const blocks = bytes / 131072;
  const frame = Buffer.alloc(9 + 4 * blocks);
  // Magic number, a single segment with a size of four bytes.
  frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xa0], 0);
  frame.writeUInt32LE(bytes, 5);
  for (let i = 0; i < blocks; i++) {
    frame.writeUIntLE((131072 << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0), 9 + 4 * i, 3);
  }
  return frame;
}
