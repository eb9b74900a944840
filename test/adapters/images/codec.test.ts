import sharp, { type Colour } from 'sharp';
import { describe, expect, it } from 'vitest';
import { createImageCodec } from '../../../src/adapters/images/codec.ts';
import { plainJpegSize } from '../../../src/adapters/images/jpeg-header.ts';
import { type DecodeTarget } from '../../../src/pipeline/ports.ts';

const codec = createImageCodec();
const target: DecodeTarget = { width: 8, height: 8, channels: 3, maxPixels: 1_000_000 };

/** Pixels that no resampling leaves as they are. */
function noise(width: number, height: number, channels: 1 | 3 | 4): Buffer {
  return Buffer.from(
    Array.from({ length: width * height * channels }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 256),
  );
}

const raw = (data: Buffer, width: number, height: number, channels: 1 | 3 | 4) =>
  sharp(data, { raw: { width, height, channels } });
const flat = (background: Colour, width = 8, height = 8) =>
  sharp({ create: { width, height, channels: typeof background === 'object' ? 4 : 3, background } });

describe('decoding', () => {
  it('passes an image of the target size through, exactly', async () => {
    const pixels = noise(8, 8, 3);
    const decoded = await codec.decode(await raw(pixels, 8, 8, 3).png().toBuffer(), target);
    expect(decoded).toMatchObject({ width: 8, height: 8, channels: 3 });
    expect(Buffer.from(decoded.data)).toEqual(pixels);
  });

  it('decodes a JPEG of the target size as the decoder gives it', async () => {
    const jpeg = await raw(noise(8, 8, 3), 8, 8, 3)
      .jpeg()
      .toBuffer();
    const plain = await sharp(jpeg).raw().toBuffer();
    expect(Buffer.from((await codec.decode(jpeg, target)).data)).toEqual(plain);
  });

  it('decodes a plain JPEG to what one with metadata is decoded to', async () => {
    for (const options of [{}, { progressive: true }, { chromaSubsampling: '4:4:4' }]) {
      const plain = await raw(noise(8, 8, 3), 8, 8, 3)
        .jpeg(options)
        .toBuffer();
      expect(plainJpegSize(plain)).toEqual({ width: 8, height: 8 });
      const orientation = Buffer.from(
        'ffe1001e4578696600004d4d002a00000008000101120003000000010001000000000000',
        'hex',
      );
      const marked = Buffer.concat([plain.subarray(0, 2), orientation.subarray(0, 32), plain.subarray(2)]);
      expect(plainJpegSize(marked)).toBeNull();
      expect((await codec.decode(marked, target)).data).toEqual((await codec.decode(plain, target)).data);
    }
    expect(plainJpegSize(await flat('#ff0000').toColourspace('cmyk').jpeg().toBuffer())).toBeNull();
    expect(plainJpegSize(await flat('#ff0000').toColourspace('b-w').jpeg().toBuffer())).toBeNull();
    expect(plainJpegSize(await flat('#ff0000').png().toBuffer())).toBeNull();
  });

  it('makes RGB of grayscale and gray of RGB', async () => {
    const gray = noise(8, 8, 1);
    const png = await raw(gray, 8, 8, 1).toColourspace('b-w').png().toBuffer();
    expect((await sharp(png).metadata()).channels).toBe(1);
    const rgb = (await codec.decode(png, target)).data;
    expect([...rgb]).toEqual([...gray].flatMap((value) => [value, value, value]));
    expect([...(await codec.decode(png, { ...target, channels: 1 })).data]).toEqual([...gray]);
    const white = await codec.decode(await flat('#ffffff').png().toBuffer(), { ...target, channels: 1 });
    expect([...white.data]).toEqual(Array.from({ length: 64 }, () => 255));
  });

  it('fits raw pixels as it would fit the same picture from a file', async () => {
    const gray = noise(6, 10, 1);
    const png = await raw(gray, 6, 10, 1).toColourspace('b-w').png().toBuffer();
    for (const channels of [1, 3] as const) {
      const to = { ...target, channels };
      const fitted = await codec.fit({ data: gray, width: 6, height: 10, channels: 1 }, to);
      expect(Buffer.from(fitted.data)).toEqual(Buffer.from((await codec.decode(png, to)).data));
    }
    const exact = { data: noise(8, 8, 3), width: 8, height: 8, channels: 3 } as const;
    expect(await codec.fit(exact, target)).toBe(exact);
    await expect(codec.fit({ ...exact, data: gray, height: 10 }, { ...target, maxPixels: 70 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    });
  });

  it('lays alpha on white', async () => {
    const half = await flat({ r: 255, g: 0, b: 0, alpha: 0.5 }).png().toBuffer();
    const [r, g, b] = (await codec.decode(half, target)).data;
    expect(r).toBe(255);
    expect(g).toBeGreaterThan(125);
    expect(g).toBeLessThan(130);
    expect(b).toBe(g);
    const clear = await flat({ r: 0, g: 0, b: 0, alpha: 0 }, 16, 12).webp({ lossless: true }).toBuffer();
    expect(Math.min(...(await codec.decode(clear, target)).data)).toBe(255);
  });

  it('converts CMYK', async () => {
    const cmyk = await flat('#ff0000').toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const [r, g, b] = (await codec.decode(cmyk, target)).data;
    expect(r).toBeGreaterThan(200);
    expect(Math.max(g!, b!)).toBeLessThan(70);
  });

  it('brings 16 bits down to 8', async () => {
    const png = await flat('#804020').toColourspace('rgb16').png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    expect([...(await codec.decode(png, target)).data.subarray(0, 3)]).toEqual([0x80, 0x40, 0x20]);
    const gray = await flat('#808080').toColourspace('grey16').png().toBuffer();
    const [r, g, b] = (await codec.decode(gray, target)).data;
    expect(Math.abs(r! - 0x80)).toBeLessThan(2);
    expect([g, b]).toEqual([r, r]);
  });

  it('applies EXIF orientation', async () => {
    const pixels = Buffer.alloc(8 * 8 * 3);
    pixels.fill(255, 0, 4 * 8 * 3);
    const upright = await raw(pixels, 8, 8, 3).png().toBuffer();
    const turned = await sharp(upright).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer();
    const { data } = await codec.decode(turned, target);
    expect(data[0]).toBeLessThan(50);
    expect(data[7 * 3]).toBeGreaterThan(200);
  });

  it('resizes to cover and crops at the centre', async () => {
    const wide = Buffer.alloc(32 * 16 * 3);
    for (let y = 0; y < 16; y++) for (let x = 8; x < 24; x++) wide.fill(200, (y * 32 + x) * 3, (y * 32 + x) * 3 + 3);
    const { data } = await codec.decode(await raw(wide, 32, 16, 3).png().toBuffer(), target);
    expect(Math.min(...data)).toBeGreaterThan(150);
    expect(data).toHaveLength(8 * 8 * 3);
  });

  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)('reads %s', async (format) => {
    const bytes = await flat('#3060c0', 16, 16).toFormat(format).toBuffer();
    const { data } = await codec.decode(bytes, target);
    [0x30, 0x60, 0xc0].forEach((value, i) => expect(Math.abs(data[i]! - value)).toBeLessThan(40));
  });
});

describe('bad images', () => {
  it.each(['jpeg', 'png', 'webp', 'gif'] as const)('refuses a truncated %s', async (format) => {
    const whole = await raw(noise(64, 64, 3), 64, 64, 3)
      .toFormat(format)
      .toBuffer();
    for (const share of [0.05, 0.5, 0.9]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      await expect(codec.decode(cut, target), `${share}`).rejects.toMatchObject({ code: 'CORRUPT_IMAGE' });
      const exact = { ...target, width: 64, height: 64 };
      await expect(codec.decode(cut, exact), `${share}`).rejects.toMatchObject({ code: 'CORRUPT_IMAGE' });
    }
  });

  it('says the same of a broken image each time, however many are decoded at once', async () => {
    const whole = await codec.encodePng({ data: noise(32, 32, 3), width: 32, height: 32, channels: 3 });
    const cut = whole.subarray(0, whole.length >> 1);
    const decoded = Array.from({ length: 300 }, (_, i) => codec.decode(i % 3 === 0 ? whole : cut, target));
    const said = (await Promise.allSettled(decoded)).flatMap((result) =>
      result.status === 'rejected' ? String((result.reason as Error).message) : [],
    );
    expect(said).toHaveLength(200);
    expect([...new Set(said)]).toEqual([
      'expected an intact PNG, got one that is broken or ends early: replace or remove the image',
    ]);
  });

  it('refuses what is no image, and an SVG', async () => {
    for (const text of ['', 'not an image at all', '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>']) {
      await expect(codec.decode(Buffer.from(text), target)).rejects.toMatchObject({ code: 'CORRUPT_IMAGE' });
    }
  });

  it('refuses noise behind a right signature', async () => {
    const bytes = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), noise(16, 16, 1)]);
    await expect(codec.decode(bytes, target)).rejects.toMatchObject({ code: 'CORRUPT_IMAGE' });
  });

  it('refuses a huge image from its header alone', async () => {
    const png = await flat('#000000').png().toBuffer();
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    const heap = process.memoryUsage().rss;
    await expect(codec.decode(png, target)).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining('60000x60000') as string,
    });
    expect(process.memoryUsage().rss - heap).toBeLessThan(200e6);
    const over = await flat('#000000', 101, 100).jpeg().toBuffer();
    await expect(codec.decode(over, { ...target, maxPixels: 10_000 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    });
    await expect(codec.decode(over, { ...target, maxPixels: 10_100 })).resolves.toMatchObject({ width: 8 });
  });
});

describe('encoding', () => {
  it('gives PNG back as it was, with the same bytes every time', async () => {
    for (const channels of [1, 3, 4] as const) {
      const pixels = { data: noise(9, 7, channels), width: 9, height: 7, channels };
      const png = await codec.encodePng(pixels);
      expect(await codec.encodePng(pixels)).toEqual(png);
      const plain = sharp(png)
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .raw();
      const { data, info } = await plain.toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ width: 9, height: 7, channels });
      expect(data).toEqual(pixels.data);
    }
  });

  it('refuses pixels of another size', async () => {
    const pixels = { data: new Uint8Array(5), width: 2, height: 2, channels: 3 } as const;
    await expect(codec.encodePng(pixels)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('renders SVG at the width asked for', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="10" height="10"/></svg>';
    const png = await codec.renderSvg(svg, 200);
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 200, height: 100, channels: 4 });
    expect([data[3], data[98 * 4 + 3], data[102 * 4 + 3]]).toEqual([255, 255, 0]);
    await expect(codec.renderSvg('no svg', 10)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
