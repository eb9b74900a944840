import { type DecodedArray, type SchemaElement } from 'hyparquet';
import { type ByteWriter, type ParquetWriter } from 'hyparquet-writer';
import { writeColumn } from 'hyparquet-writer/src/column.js';
import { type SyntheticRow } from '../../pipeline/ports.ts';
import { PAGE_BYTES, writeStored, type WrittenColumn } from './parquet-stored.ts';

/**
 * Nothing is required, although nothing but soft labels is ever null: `datasets` takes a feature from the metadata only
 * where the column is nullable as its own are, and would read labels as plain integers (seen with datasets 5.2.0).
 */
export const SCHEMA: SchemaElement[] = [
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

/**
 * Adds rows to the file as one row group, byte for byte as `ParquetWriter.write` does it. That one walks down the schema for
 * each value and copies each image several times.
 *
 * @param writer that of the file
 */
export function writeGroup(
  file: ParquetWriter,
  writer: ByteWriter,
  rows: readonly SyntheticRow[],
  classes: readonly string[],
): void {
  const begin = writer.offset;
  const there = new Array<number>(rows.length).fill(1);
  const nested = (path: readonly string[], pageData: PageData) =>
    writeColumn({ writer, column: encoderOf(file, path), pageData });
  const flat = (name: string, valueOf: (row: SyntheticRow) => DecodedArray[number]) => {
    const values = rows.map(valueOf);
    return nested([name], { values, definitionLevels: there, repetitionLevels: [], maxDefinitionLevel: 1 });
  };
  const stored = <Value extends Uint8Array | string>(name: string, valueOf: (row: SyntheticRow) => Value) =>
    writeStored(writer, encoderOf(file, ['image', name]), rows.map(valueOf) as Uint8Array[] | string[]);

  const written: WrittenColumn[] = [
    stored('bytes', ({ imagePng }) => imagePng),
    stored('path', ({ path }) => path),
    flat('label', ({ label }) => BigInt(label)),
    flat('weight', ({ weight }) => Math.fround(weight)),
    nested(['soft_label', 'list', 'element'], softLabels(rows)),
    flat('class', ({ label }) => classes[label]!),
    flat('point', ({ point }) => point),
    flat('cell_count', ({ cellCount }) => cellCount),
  ];

  const columns = written.map(({ chunk }) => chunk);
  file.pendingIndexes.push(...written);
  file.num_rows += BigInt(rows.length);
  file.row_groups.push({
    columns,
    total_byte_size: columns.reduce((sum, { meta_data }) => sum + meta_data!.total_uncompressed_size, 0n),
    num_rows: BigInt(rows.length),
    total_compressed_size: BigInt(writer.offset - begin),
  });
}

type ColumnEncoder = Parameters<typeof writeColumn>[0]['column'];
type PageData = Parameters<typeof writeColumn>[0]['pageData'];

function encoderOf({ codec, compressors }: ParquetWriter, path: readonly string[]): ColumnEncoder {
  // No name occurs twice.
  const schemaPath = ['schema', ...path].map((name) => SCHEMA.find((element) => element.name === name)!);
  // Nobody looks for the least soft label, and they are most of the values.
  const stats = path[0] !== 'soft_label';
  return {
    ...{ columnName: path.join('.'), schemaPath, element: schemaPath.at(-1)! },
    ...{ codec, compressors, stats, pageSize: PAGE_BYTES, columnIndex: false, offsetIndex: true },
  };
}

/** Definition levels: 0 for none, 1 for an empty list, 3 for a number in it. Repetition levels: 0 begins a row. */
function softLabels(rows: readonly SyntheticRow[]): PageData {
  const values: (number | undefined)[] = [];
  const definitionLevels: number[] = [];
  const repetitionLevels: number[] = [];
  for (const { softLabel } of rows) {
    if (softLabel === null || softLabel.length === 0) {
      values.push(undefined);
      definitionLevels.push(softLabel === null ? 0 : 1);
      repetitionLevels.push(0);
      continue;
    }
    for (let i = 0; i < softLabel.length; i++) {
      values.push(softLabel[i]);
      definitionLevels.push(3);
      repetitionLevels.push(i === 0 ? 0 : 1);
    }
  }
  return { values, definitionLevels, repetitionLevels, maxDefinitionLevel: 3 };
}
