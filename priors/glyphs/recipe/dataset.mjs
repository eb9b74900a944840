/**
 * Renders the letters A to J of open typefaces to 32x32 PNGs and writes them as Parquet that Hugging Face tools read.
 *
 *   node dataset.mjs <folder with the installed typefaces> <output folder>
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import opentype from 'opentype.js';
import sharp from 'sharp';
import { LETTERS, plan } from './plan.mjs';
import { encodePalettePng } from './png.mjs';

const SIZE = 32;
const SPLITS = {
  train: { perClass: 700, heldOutShare: 0, seed: 1 },
  test: { perClass: 100, heldOutShare: 0.5, seed: 2 },
};

const [typefaceFolder, outputFolder] = process.argv.slice(2);
if (!typefaceFolder || !outputFolder) {
  throw new Error('expected two arguments: the folder with the installed typefaces and the output folder');
}
const faces = loadFaces(typefaceFolder);
mkdirSync(outputFolder, { recursive: true });
for (const [split, options] of Object.entries(SPLITS)) {
  const entries = plan(options, faces);
  const files = [];
  for (const entry of entries) files.push(await render(entry));
  const bytes = toParquet(split, entries, files);
  writeFileSync(join(outputFolder, `${split}.parquet`), bytes);
  console.log(`${split}: ${entries.length} images of ${faces.length} faces, ${bytes.length} bytes`);
}

/** @returns {{ style: string, family: string, name: string, font: object }[]} */
function loadFaces(folder) {
  const styles = JSON.parse(readFileSync(new URL('typefaces.json', import.meta.url), 'utf8'));
  return Object.entries(styles).flatMap(([style, families]) =>
    Object.entries(families).flatMap(([family, variants]) =>
      variants.map((variant) => {
        const path = join(folder, 'node_modules/@fontsource', family, 'files', `${family}-latin-${variant}.woff`);
        const file = readFileSync(path);
        const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
        return { style, family, name: `${family}-${variant}`, font: opentype.parse(buffer) };
      }),
    ),
  );
}

/** One letter as the bytes of a PNG: coverage in sixteen steps, coloured from paper to ink. */
async function render({ label, face, placement, colours }) {
  const path = face.font.getPath(LETTERS[label], 0, 0, 100);
  const { x1, y1, x2, y2 } = path.getBoundingBox();
  const scale = placement.scale * Math.min(21 / (y2 - y1), 24 / (x2 - x1));
  const transform = [
    `translate(${SIZE / 2 + placement.dx} ${SIZE / 2 + placement.dy})`,
    `rotate(${placement.degrees}) scale(${scale}) translate(${-(x1 + x2) / 2} ${-(y1 + y2) / 2})`,
  ].join(' ');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
    <rect width="100%" height="100%" fill="black"/>
    <path transform="${transform}" fill="white" d="${path.toPathData(3)}"/></svg>`;
  const { data, info } = await sharp(Buffer.from(svg)).raw().toBuffer({ resolveWithObject: true });
  const indices = Uint8Array.from({ length: SIZE * SIZE }, (_, i) => Math.round((data[i * info.channels] * 15) / 255));
  return encodePalettePng(indices, colours, SIZE);
}

/** @returns {Buffer} a Parquet file with image, label, style and face of each entry */
function toParquet(split, entries, files) {
  const writer = new ByteWriter();
  const path = (entry, i) => `${split}/${LETTERS[entry.label]}/${String(i).padStart(5, '0')}.png`;
  parquetWrite({
    writer,
    codec: 'UNCOMPRESSED',
    createdBy: 'pushforward glyphs recipe',
    statistics: false,
    schema: [
      { name: 'root', num_children: 4 },
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
      { name: 'style', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'face', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    columnData: [
      { name: 'image', data: entries.map((entry, i) => ({ bytes: files[i], path: path(entry, i) })) },
      { name: 'label', data: entries.map((entry) => BigInt(entry.label)) },
      { name: 'style', data: entries.map((entry) => entry.style) },
      { name: 'face', data: entries.map((entry) => entry.face.name) },
    ],
    kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features: features() } }) }],
  });
  return Buffer.from(writer.getBuffer());
}

function features() {
  const text = { dtype: 'string', _type: 'Value' };
  return {
    image: { _type: 'Image' },
    label: { names: LETTERS, _type: 'ClassLabel' },
    style: text,
    face: text,
  };
}
