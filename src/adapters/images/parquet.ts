import { type SchemaElement } from 'hyparquet';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { invalid } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import { byCodeUnit } from '../../base/order.ts';
import { type SyntheticTable, type TableWriter } from '../../pipeline/ports.ts';

/** Rows of a row group: few enough that a viewer which shows one page reads little. */
const ROW_GROUP_ROWS = 1000;

/** Synthetic datasets as Parquet. No time and no host goes into the file: the same rows give the same bytes. */
export function createTableWriter(): TableWriter {
  return {
    async writeSyntheticParquet(table) {
      checkTable(table);
      const { rows, classes } = table;
      const columnData = [
        { name: 'image', data: rows.map((row) => ({ bytes: row.imagePng, path: row.path })), ...STORED },
        { name: 'label', data: BigInt64Array.from(rows, (row) => BigInt(row.label)) },
        { name: 'weight', data: Float32Array.from(rows, (row) => row.weight) },
        { name: 'soft_label', data: rows.map((row) => row.softLabel) },
        { name: 'class', data: rows.map((row) => classes[row.label]!) },
        { name: 'point', data: Int32Array.from(rows, (row) => row.point) },
        { name: 'cell_count', data: Int32Array.from(rows, (row) => row.cellCount) },
      ];
      const writer = new ByteWriter(rows.reduce((sum, { imagePng }) => sum + imagePng.length + ROW_BYTES, ROW_BYTES));
      await parquetWrite({
        writer,
        columnData,
        schema: SCHEMA,
        rowGroupSize: ROW_GROUP_ROWS,
        kvMetadata: keyValues(table),
        createdBy: 'pushforward',
      });
      return writer.getBytes();
    },
  };
}

/** PNG does not compress, no two images are alike, and nobody looks for the least of them: half of the time without. */
const STORED = { codec: 'UNCOMPRESSED' as const, encoding: 'PLAIN' as const, statistics: false };

/** A guess at what a row takes beside its image, so that the file need not grow often. */
const ROW_BYTES = 256;

/**
 * Nothing is required, although nothing but soft labels is ever null: `datasets` takes a feature from the metadata only
 * where the column is nullable as its own are, and would read labels as plain integers (seen with datasets 5.2.0).
 */
const SCHEMA: SchemaElement[] = [
  { name: 'schema', num_children: 7 },
  { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
  { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
  { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
  { name: 'weight', type: 'FLOAT', repetition_type: 'OPTIONAL' },
  { name: 'soft_label', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', type: 'FLOAT', repetition_type: 'OPTIONAL' },
  { name: 'class', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  { name: 'point', type: 'INT32', repetition_type: 'OPTIONAL' },
  { name: 'cell_count', type: 'INT32', repetition_type: 'OPTIONAL' },
];

/** The feature types that `datasets.load_dataset` reads from the key `huggingface`. */
function keyValues({ classes, metadata }: SyntheticTable): { key: string; value: string }[] {
  const value = (dtype: string) => ({ dtype, _type: 'Value' });
  const features = {
    image: { _type: 'Image' },
    label: { names: classes, _type: 'ClassLabel' },
    weight: value('float32'),
    soft_label: { feature: value('float32'), _type: 'Sequence' },
    class: value('string'),
    point: value('int32'),
    cell_count: value('int32'),
  };
  return [
    { key: 'huggingface', value: JSON.stringify({ info: { features } }) },
    ...Object.entries(metadata)
      .sort(([a], [b]) => byCodeUnit(a, b))
      .map(([key, text]) => ({ key, value: text })),
  ];
}

function checkTable({ classes, rows, metadata }: SyntheticTable): void {
  if (rows.length === 0) throw invalid('expected at least one row, got none: nothing was decoded');
  if ('huggingface' in metadata) throw invalid('expected metadata without the key huggingface: it holds the features');
  rows.forEach((row, index) => {
    if (!Number.isInteger(row.label) || row.label < 0 || row.label >= classes.length) {
      throw invalid(`expected a label of 0 to ${classes.length - 1} in row ${index}, got ${row.label}`);
    }
    const numbers = [row.weight, ...(row.softLabel ?? [])];
    if (!numbers.every(Number.isFinite)) {
      throw invalid(`expected finite weight and soft label in row ${index}, got ${canonicalJson(numbers.map(String))}`);
    }
  });
}
