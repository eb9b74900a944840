import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extract, type Header, pack } from 'tar-stream';
import { createTarParser, type TarEntry } from '../../../src/adapters/images/tar-parser.ts';

interface Found {
  name: string;
  type: string | null;
  offset: number;
  body: string | null;
}

async function packed(entries: { header: Partial<Header> & { name: string }; body: Uint8Array }[]): Promise<Buffer> {
  const tar = pack();
  for (const { header, body } of entries) tar.entry({ mtime: new Date(0), ...header }, Buffer.from(body));
  tar.finalize();
  return await buffer(tar);
}

function parsed(tar: Uint8Array, cuts: readonly number[] = [], maxBodyBytes = 1e9): Found[] {
  const parser = createTarParser(maxBodyBytes);
  const found: TarEntry[] = [];
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parser.push(tar.subarray(at, cut), found);
    at = Math.max(at, cut);
  }
  parser.push(tar.subarray(at), found);
  expect(parser.position).toBe(tar.length);
  parser.end();
  return found.map(({ name: own, type, offset, body }) => ({
    ...{ name: own, type, offset },
    body: body && Buffer.from(body).toString('hex'),
  }));
}

/** The same by tar-stream, which is another's work. */
async function reference(tar: Uint8Array): Promise<Found[]> {
  const found: Found[] = [];
  const members = extract();
  Readable.from([tar]).pipe(members);
  for await (const entry of members as AsyncIterable<Readable & { header: Header & { byteOffset: number } }>) {
    const { name, type, byteOffset } = entry.header;
    const body = await buffer(entry);
    found.push({ name, type: type ?? null, offset: byteOffset, body: body.toString('hex') });
  }
  return found;
}

const segment = fc.string({
  unit: fc.constantFrom('a', 'B', '7', '.', ' ', 'é', '猫', '\u{1f600}'),
  minLength: 1,
  maxLength: 60,
});
const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `x${segments.join('/')}x`);
const entry = fc.oneof(
  fc.record({
    header: fc.record({ name, type: fc.constantFrom('file' as const, 'contiguous-file' as const) }),
    body: fc.uint8Array({ maxLength: 1600 }),
  }),
  fc.record({
    header: fc.record({ name, type: fc.constantFrom('directory' as const, 'fifo' as const) }),
    body: fc.constant(new Uint8Array()),
  }),
  fc.record({
    header: fc.record({ name, type: fc.constantFrom('symlink' as const, 'link' as const), linkname: name }),
    body: fc.constant(new Uint8Array()),
  }),
);

describe('createTarParser', () => {
  it('finds what tar-stream finds, wherever the pieces are cut', async () => {
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 8 }), cuts, async (entries, at) => {
        const tar = await packed(entries);
        const found = parsed(
          tar,
          at.map((share) => Math.floor(share * tar.length)),
        );
        expect(found).toEqual(await reference(tar));
        expect(found.map((one) => one.body)).toEqual(entries.map(({ body }) => Buffer.from(body).toString('hex')));
      }),
      { numRuns: 150 },
    );
  });

  it('reads byte by byte', async () => {
    const tar = await packed([{ header: { name: 'a/b.png' }, body: Buffer.alloc(700, 7) }]);
    const every = Array.from({ length: tar.length }, (_, i) => i);
    expect(parsed(tar, every)).toEqual(parsed(tar));
  });

  it('keeps no body that is too large, and goes on behind it', async () => {
    const tar = await packed([
      { header: { name: 'large' }, body: Buffer.alloc(2000) },
      { header: { name: 'small' }, body: Buffer.from('x') },
    ]);
    expect(parsed(tar, [900, 1400], 1999).map(({ name: own, body }) => [own, body])).toEqual([
      ['large', null],
      ['small', '78'],
    ]);
  });

  it.each([
    ['a name by GNU', 'L', Buffer.from(`${'deep/'.repeat(40)}1.png\0`), `${'deep/'.repeat(40)}1.png`],
    ['a name by pax', 'x', pax('path', 'cat/ä.png'), 'cat/ä.png'],
    ['a name by pax for all', 'g', pax('path', 'all.png'), 'all.png'],
    ['a longer size by pax', 'x', pax('size', '5'), 'short.png'],
  ])('takes %s', (_what, type, extension, expected) => {
    const size = expected === 'short.png' ? 1 : 5;
    const tar = Buffer.concat([
      ...member({ name: 'extension', type, body: extension }),
      ...member({ name: 'short.png', type: '0', body: Buffer.from('12345'), size: size.toString(8) }),
      Buffer.alloc(1024),
    ]);
    expect(parsed(tar)).toMatchObject([{ name: expected, type: 'file', body: Buffer.from('12345').toString('hex') }]);
  });

  it('takes sizes in base 256, and types that it does not know', () => {
    const binary = Buffer.alloc(12);
    binary[0] = 0x80;
    binary[11] = 5;
    const tar = Buffer.concat([
      ...member({ name: 'a', type: '0', body: Buffer.from('12345'), size: binary.toString('latin1') }),
      ...member({ name: 'b', type: 'S', body: Buffer.from('map') }),
      Buffer.alloc(512),
    ]);
    expect(parsed(tar)).toMatchObject([
      { name: 'a', type: 'file' },
      { name: 'b', type: null, body: Buffer.from('map').toString('hex') },
    ]);
  });

  it('refuses what is no tar, is damaged, or ends early', async () => {
    const tar = await packed([{ header: { name: 'a/b.png' }, body: Buffer.alloc(700, 7) }]);
    const damaged = (at: number, byte: number) => {
      const copy = Buffer.from(tar);
      copy[at] = byte;
      return copy;
    };
    expect(() => parsed(Buffer.alloc(2048, 'text'))).toThrow('checksum');
    for (const at of [0, 99, 124, 130, 156, 260, 511]) expect(() => parsed(damaged(at, 0x41))).toThrow('checksum');
    expect(() => parsed(Buffer.concat(member({ name: 'v7', type: '0', body: Buffer.alloc(0), magic: '' })))).toThrow(
      'unknown format',
    );
    for (const cut of [1, 511, 513, 1200, 1500]) expect(() => parsed(tar.subarray(0, cut))).toThrow('within a member');
    expect(() => parsed(tar.subarray(0, 1536))).toThrow('block of zeros');
    expect(() => parsed(Buffer.concat(member({ name: 'x', type: 'x', body: Buffer.alloc(5e6) })))).toThrow('5000000');
  });
});

function pax(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  const length = bytes + String(bytes + 2).length;
  return Buffer.from(`${length}${rest}`);
}

/** A header made by hand, and the body with its padding. */
function member(of: { name: string; type: string; body: Buffer; size?: string; magic?: string }): Buffer[] {
  const header = Buffer.alloc(512);
  header.write(of.name, 0);
  header.write(of.size ?? of.body.length.toString(8), 124, 'latin1');
  header.write('        ', 148);
  header.write(of.type, 156);
  header.write(of.magic ?? 'ustar\0' + '00', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, of.body, Buffer.alloc(-of.body.length & 511)];
}
