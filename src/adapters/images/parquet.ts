import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { invalid } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import { byCodeUnit } from '../../base/order.ts';
import { type SyntheticTable, type TableWriter } from '../../pipeline/ports.ts';
import { SCHEMA, writeGroup } from './parquet-groups.ts';

/** Rows of a row group: few enough that a viewer which shows one page reads little. */
const ROW_GROUP_ROWS = 1000;

/** Synthetic datasets as Parquet. No time and no host goes into the file: the same rows give the same bytes. */
export function createTableWriter(): TableWriter {
  return {
    async writeSyntheticParquet(table) {
      checkTable(table);
      const { rows, classes } = table;
      const bytes = rows.reduce((sum, { imagePng }) => sum + imagePng.length + ROW_BYTES, ROW_BYTES);
      const writer = new ByteWriter(bytes);
      const file = new ParquetWriter({
        writer,
        schema: SCHEMA,
        kvMetadata: keyValues(table),
        createdBy: 'pushforward',
      });
      for (let from = 0; from < rows.length; from += ROW_GROUP_ROWS) {
        writeGroup(file, writer, rows.slice(from, from + ROW_GROUP_ROWS), classes);
      }
      await file.finish();
      return writer.getBytes();
    },
  };
}

/** A guess at what a row takes beside its image, so that the file need not grow often. */
const ROW_BYTES = 256;

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
    if (!Number.isFinite(row.weight) || !(row.softLabel ?? []).every(Number.isFinite)) {
      const numbers = [row.weight, ...(row.softLabel ?? [])];
      throw invalid(`expected finite weight and soft label in row ${index}, got ${canonicalJson(numbers.map(String))}`);
    }
  });
}
