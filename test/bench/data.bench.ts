import { type Bench } from './bench.ts';
import { importCases } from './data/import.ts';
import { manifestCases } from './data/manifest.ts';
import { parquetCases } from './data/parquet.ts';
import { s3Cases } from './data/s3.ts';

export const bench: Bench = {
  about: 'datasets in and out: import, a million images in bounded memory, Parquet, S3',
  async *cases(wanted) {
    for (const cases of [importCases, manifestCases, parquetCases, s3Cases]) yield* cases(wanted);
  },
};
