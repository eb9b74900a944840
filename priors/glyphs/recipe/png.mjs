/** A PNG writer for images of at most 16 colours: two pixels per byte, one palette, no metadata. */
import { crc32, deflateSync } from 'node:zlib';

/**
 * @param {Uint8Array} indices (height * width) palette index of each pixel, 0 to 15
 * @param {number[][]} palette up to 16 colours, each red, green, blue from 0 to 255
 * @param {number} size height and width, even
 * @returns {Uint8Array} the file's bytes
 */
export function encodePalettePng(indices, palette, size) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([4, 3, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [
    signature,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(packRows(indices, size), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

/** Rows of half-byte pixels, each behind a zero byte that says "no filter". */
function packRows(indices, size) {
  const stride = 1 + size / 2;
  const rows = Buffer.alloc(size * stride);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x += 2) {
      const i = y * size + x;
      rows[y * stride + 1 + x / 2] = (indices[i] << 4) | indices[i + 1];
    }
  }
  return rows;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
  return out;
}
