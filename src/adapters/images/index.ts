export { createArchiveWriter } from './archive.ts';
export { createImageCodec } from './codec.ts';
export { createTableWriter } from './parquet.ts';
export { createImageReader } from './reader.ts';
export { createSourceScanner } from './scan.ts';
export { createTextOutlines } from './text.ts';
