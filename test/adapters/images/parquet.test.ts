import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { createTableWriter } from '../../../src/adapters/images/parquet.ts';
import { type SyntheticTable } from '../../../src/pipeline/ports.ts';

const { writeSyntheticParquet } = createTableWriter();

const table = (rows: number): SyntheticTable => ({
  classes: ['ant', 'bee'],
  rows: Array.from({ length: rows }, (_, i) => ({
    imagePng: Uint8Array.from([137, 80, 78, 71, i % 256, i >> 8, 200, 255]),
    path: `bee/${i}.png`,
    label: i % 2,
    weight: (i + 1) / 7,
    softLabel: i % 3 === 0 ? null : [0.25, 0.75],
    point: i,
    cellCount: i * 10,
  })),
  metadata: { 'pushforward.run': 'run_1', 'pushforward.digest': 'abc' },
});

/** Images of 100 kB, so that a row group has several pages; names that are no ASCII; an empty soft label. */
const large = (rows: number): SyntheticTable => {
  const { classes, rows: small, metadata } = table(rows);
  const image = (i: number) => new Uint8Array(100_000 + i).fill(i);
  return {
    classes,
    metadata,
    rows: small.map((row, i) => ({
      ...row,
      imagePng: image(i),
      path: `été/${i}.png`,
      softLabel: i % 5 === 0 ? [] : row.softLabel,
    })),
  };
};

const withoutSoftLabels = (of: SyntheticTable): SyntheticTable => ({
  ...of,
  rows: of.rows.map((row) => ({ ...row, softLabel: null })),
});

const bufferOf = (bytes: Uint8Array) =>
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;

describe('writeSyntheticParquet', () => {
  it('is read back as it was written', async () => {
    const file = bufferOf(await writeSyntheticParquet(table(2500)));
    const rows = await parquetReadObjects({ file, parsers: { stringFromBytes: (bytes: Uint8Array) => bytes } });
    expect(rows).toHaveLength(2500);
    const text = (value: unknown) => Buffer.from(value as Uint8Array).toString();
    for (const i of [0, 1, 999, 1000, 2499]) {
      const row = rows[i] as { image: { bytes: Uint8Array; path: unknown }; class: unknown } & Record<string, unknown>;
      expect([...row.image.bytes]).toEqual([137, 80, 78, 71, i % 256, i >> 8, 200, 255]);
      expect(text(row.image.path)).toBe(`bee/${i}.png`);
      expect(text(row.class)).toBe(i % 2 ? 'bee' : 'ant');
      expect(row).toMatchObject({
        label: BigInt(i % 2),
        weight: Math.fround((i + 1) / 7),
        point: i,
        cell_count: i * 10,
      });
      expect(row['soft_label'] ?? null).toEqual(i % 3 === 0 ? null : [0.25, 0.75]);
    }
  });

  it('is, byte for byte, what hyparquet-writer makes of the same columns', async () => {
    for (const of of [table(2500), large(40), table(1), withoutSoftLabels(table(9))]) {
      const { rows, classes } = of;
      const stored = { codec: 'UNCOMPRESSED' as const, encoding: 'PLAIN' as const, statistics: false };
      const columnData = [
        { name: 'image', data: rows.map((row) => ({ bytes: row.imagePng, path: row.path })), ...stored },
        { name: 'label', data: rows.map((row) => BigInt(row.label)) },
        { name: 'weight', data: Float32Array.from(rows, (row) => row.weight) },
        { name: 'soft_label', data: rows.map((row) => row.softLabel), statistics: false },
        { name: 'class', data: rows.map((row) => classes[row.label]!) },
        { name: 'point', data: rows.map((row) => row.point) },
        { name: 'cell_count', data: rows.map((row) => row.cellCount) },
      ];
      const ours = await writeSyntheticParquet(of);
      const { schema, key_value_metadata: kvMetadata } = parquetMetadata(bufferOf(ours));
      const writer = new ByteWriter();
      const written = { writer, columnData, schema, rowGroupSize: 1000, createdBy: 'pushforward' };
      await parquetWrite({ ...written, kvMetadata: kvMetadata! });
      expect(Buffer.from(ours).equals(writer.getBytes())).toBe(true);
    }
  });

  it('carries the features that give typed columns', async () => {
    const metadata = parquetMetadata(bufferOf(await writeSyntheticParquet(table(3))));
    const values = Object.fromEntries((metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value]));
    expect(values).toMatchObject({ 'pushforward.run': 'run_1', 'pushforward.digest': 'abc' });
    expect(JSON.parse(values['huggingface']!)).toEqual({
      info: {
        features: {
          image: { _type: 'Image' },
          label: { names: ['ant', 'bee'], _type: 'ClassLabel' },
          weight: { dtype: 'float32', _type: 'Value' },
          soft_label: { feature: { dtype: 'float32', _type: 'Value' }, _type: 'Sequence' },
          class: { dtype: 'string', _type: 'Value' },
          point: { dtype: 'int32', _type: 'Value' },
          cell_count: { dtype: 'int32', _type: 'Value' },
        },
      },
    });
    expect(metadata.schema.slice(1).every((element) => element.repetition_type !== 'REQUIRED')).toBe(true);
    expect(metadata.schema.map(({ name, type }) => [name, type]).slice(1)).toEqual([
      ['image', undefined],
      ['bytes', 'BYTE_ARRAY'],
      ['path', 'BYTE_ARRAY'],
      ['label', 'INT64'],
      ['weight', 'FLOAT'],
      ['soft_label', undefined],
      ['list', undefined],
      ['element', 'FLOAT'],
      ['class', 'BYTE_ARRAY'],
      ['point', 'INT32'],
      ['cell_count', 'INT32'],
    ]);
  });

  it('gives the same bytes for the same rows, in whatever order the metadata come', async () => {
    const once = await writeSyntheticParquet(table(50));
    const { metadata, ...rest } = table(50);
    const turned = Object.fromEntries(Object.entries(metadata).reverse());
    expect(Buffer.from(await writeSyntheticParquet({ ...rest, metadata: turned })).equals(once)).toBe(true);
  });

  it('writes a table where no row has a soft label', async () => {
    const plain = table(4);
    const rows = plain.rows.map((row) => ({ ...row, softLabel: null }));
    const file = bufferOf(await writeSyntheticParquet({ ...plain, rows }));
    const read = await parquetReadObjects({ file, utf8: false });
    expect(read.map((row) => (row as { soft_label?: unknown }).soft_label ?? null)).toEqual([null, null, null, null]);
  });

  it.each([
    ['no rows', { ...table(1), rows: [] }],
    ['a label beyond the classes', { ...table(2), classes: ['ant'] }],
    ['a weight that is no number', { ...table(1), rows: [{ ...table(1).rows[0]!, weight: NaN }] }],
    ['metadata that hide the features', { ...table(1), metadata: { huggingface: '{}' } }],
  ])('refuses %s', async (_what, bad) => {
    await expect(writeSyntheticParquet(bad)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
