import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { type ScanLimits } from '../../../src/adapters/images/limits.ts';
import { createSourceScanner } from '../../../src/adapters/images/scan.ts';
import { type ImageSource, type ScannedImage, type ScanSummary } from '../../../src/pipeline/ports.ts';
import {
  type Files,
  gzipped,
  picture,
  pictures,
  withFolder,
  writeFolder,
  writeParquet,
  writeTar,
} from '../../support/image-sources.ts';

interface Scanned {
  images: ScannedImage[];
  packs: Uint8Array[];
  summary: ScanSummary;
}

async function scan(path: string, limits: Partial<ScanLimits> = {}, classes: string[] | null = null): Promise<Scanned> {
  const packs: Uint8Array[] = [];
  const writePack = async (pieces: AsyncIterable<Uint8Array>): Promise<ImageSource> => {
    const parts: Uint8Array[] = [];
    for await (const piece of pieces) parts.push(Uint8Array.from(piece));
    const bytes = Buffer.concat(parts);
    packs.push(bytes);
    return { kind: 'object', uri: `pack-${packs.length}`, format: 'pack', bytes: bytes.length, etag: '' };
  };
  const found = await createSourceScanner(limits).scan({ path, classes, writePack });
  const images: ScannedImage[] = [];
  for await (const batch of found.images) images.push(...batch);
  return { images, packs, summary: found.summary() };
}

const pairs = (images: ScannedImage[]) => images.map((image) => `${image.className} ${image.sha256}`).sort();
const expected = (files: Files) =>
  Object.entries(files)
    .map(([path, bytes]) => `${path.split('/').at(-2)} ${sha256(bytes)}`)
    .sort();
const prefixed = (prefix: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [prefix + path, bytes]));

describe('a folder', () => {
  it('is one source, whose images carry their paths', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 3, dog: 2 });
      await writeFolder(root, files);
      const { images, summary } = await scan(root);
      expect(pairs(images)).toEqual(expected(files));
      expect(summary.sources).toMatchObject([{ kind: 'file', format: 'folder', bytes: sizes(files) }]);
      expect(images.map((image) => image.reference.path).sort()).toEqual(Object.keys(files));
    });
  });

  it('tolerates folders above the classes, but not two splits', async () => {
    await withFolder(async (root) => {
      const files = prefixed('set/train/', await pictures({ cat: 2, dog: 1 }));
      await writeFolder(root, files);
      expect(pairs((await scan(root)).images)).toEqual(expected(files));
      await writeFolder(root, { 'set/test/cat/9.png': await picture(9) });
      await expect(scan(root)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /one split.*train/ as never });
    });
  });

  it('names empty classes, counts other files, and keeps silent about companions', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 1 });
      const text = Buffer.from('x');
      await writeFolder(root, files);
      await writeFolder(root, {
        'cat/notes.txt': text,
        'metadata.jsonl': text,
        '.DS_Store': text,
        '.git/objects/a.png': text,
        'annotations/a.xml': text,
        'cat/raw.heic': text,
        'stray.png': text,
        'bird/.keep': text,
      });
      const { images, summary } = await scan(root);
      expect(pairs(images)).toEqual(expected(files));
      expect(summary.emptyClasses).toEqual(['bird']);
      expect(summary.ignored.count).toBe(2);
      expect(summary.ignored.examples.sort()).toEqual(['cat/raw.heic', 'stray.png']);
    });
  });

  it('reads links that stay below the root and refuses those that leave it', async () => {
    await withFolder(async (outer) => {
      const root = join(outer, 'set');
      const files = await pictures({ cat: 1 });
      await writeFolder(root, files);
      await symlink(join(root, 'cat/0000.png'), join(root, 'cat/again.png'));
      await symlink(root, join(root, 'loop'));
      const { images, summary } = await scan(root);
      expect(images).toHaveLength(2);
      expect(summary.ignored).toEqual({ count: 1, examples: ['loop (link to a folder)'] });
      await writeFolder(root, { '.pushforward/store/a.png': await picture(7) });
      await symlink('../.pushforward/store/a.png', join(root, 'cat/state.png'));
      const beside = await scan(root);
      expect(beside.images).toHaveLength(2);
      expect(beside.summary.ignored.examples).toContain('cat/state.png (link to what is hidden)');
      await writeFolder(outer, { 'secret.png': await picture(5) });
      await symlink('../../secret.png', join(root, 'cat/leaves.png'));
      await expect(scan(root)).rejects.toMatchObject({ code: 'UNSAFE_PATH', details: { link: 'cat/leaves.png' } });
    });
  });

  it('says which name is not in UTF-8, of a folder and of a file', async () => {
    const latin = Buffer.from('caf\xe9', 'latin1');
    for (const path of [['bird', latin], [latin]]) {
      await withFolder(async (root) => {
        await writeFolder(root, await pictures({ bird: 1 }));
        const at = Buffer.concat(path.flatMap((segment) => [Buffer.from('/'), Buffer.from(segment)]));
        const whole = Buffer.concat([Buffer.from(root), at, Buffer.from(path.length === 2 ? '.png' : '')]);
        await (path.length === 2 ? writeFile(whole, await picture(1)) : mkdir(whole));
        await expect(scan(root)).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: /names in UTF-8 below .*, got "(bird\/)?caf\ufffd(\.png)?", where .*: rename it/ as never,
        });
      });
    }
  });

  it('refuses an image that is too large', async () => {
    await withFolder(async (root) => {
      await writeFolder(root, await pictures({ cat: 1 }));
      await expect(scan(root, { maxImageBytes: 20 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    });
  });
});

describe('a tar', () => {
  it('is referenced by byte ranges', async () => {
    await withFolder(async (root) => {
      const long = `${'deep/'.repeat(30)}dog/${'n'.repeat(120)}.png`;
      const files = { ...prefixed('./train/', await pictures({ cat: 3 })), [long]: await picture(77) };
      const path = await writeTar(join(root, 'a.tar'), files);
      const { images, summary, packs } = await scan(path);
      expect(pairs(images)).toEqual(expected(files));
      expect(packs).toEqual([]);
      expect(summary).toMatchObject({ format: 'tar', sources: [{ uri: path, format: 'tar' }] });
      const tar = await readFile(path);
      for (const { reference, sha256: digest } of images) {
        expect(sha256(tar.subarray(reference.offset, reference.offset! + reference.bytes))).toBe(digest);
      }
    });
  });

  it('names empty classes and passes over links', async () => {
    await withFolder(async (root) => {
      const body = await picture(1);
      const path = await writeTar(join(root, 'a.tar'), [
        { name: 'train/', type: 'directory' },
        { name: 'train/bird/', type: 'directory' },
        { name: 'train/cat/1.png', body },
        { name: 'train/cat/2.png', type: 'symlink', linkname: '/etc/passwd' },
        { name: 'train/cat/3.png', type: 'link', linkname: 'train/cat/1.png' },
      ]);
      const { images, summary } = await scan(path);
      expect(images).toHaveLength(1);
      expect(summary.emptyClasses).toEqual(['bird']);
      expect(summary.ignored).toEqual({
        count: 2,
        examples: ['train/cat/2.png (symlink)', 'train/cat/3.png (link)'],
      });
    });
  });

  it.each(['/etc/cat/1.png', '../cat/1.png', 'cat/../../x/1.png', 'C:/cat/1.png', 'cat\\..\\..\\x/1.png'])(
    'refuses the member %s',
    async (name) => {
      await withFolder(async (root) => {
        const path = await writeTar(join(root, 'a.tar'), [{ name, body: await picture(1) }]);
        await expect(scan(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH', details: { member: name } });
      });
    },
  );

  it('that was cut short is unreadable, wherever the cut is', async () => {
    await withFolder(async (root) => {
      const path = await writeTar(join(root, 'a.tar'), await pictures({ cat: 4 }));
      const whole = await readFile(path);
      const cuts = [whole.length - 1024, whole.length - 1024 - 512, whole.length - 1300, 700, 512];
      for (const cut of cuts) {
        await writeFile(path, whole.subarray(0, cut));
        await expect(scan(path), `${cut}`).rejects.toMatchObject({
          code: 'SOURCE_UNREADABLE',
          message: new RegExp(`byte ${cut}`) as never,
        });
      }
    });
  });

  it('that is damaged is unreadable', async () => {
    await withFolder(async (root) => {
      const path = await writeTar(join(root, 'a.tar'), await pictures({ cat: 4 }));
      const bytes = await readFile(path);
      bytes.fill(0x41, 1024, 1536);
      await writeFile(path, bytes);
      await expect(scan(path)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    });
  });
});

describe('a compressed tar', () => {
  it('is laid out in packs of bounded size', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 20, dog: 20 });
      const tar = await readFile(await writeTar(join(root, 'a.tar'), files));
      const path = await gzipped(join(root, 'a.tgz'), tar);
      const { images, packs, summary } = await scan(path, { packBytes: 2000, maxImageBytes: 2000 });
      expect(pairs(images)).toEqual(expected(files));
      expect(packs.length).toBeGreaterThan(3);
      expect(Math.max(...packs.map((pack) => pack.length))).toBeLessThanOrEqual(2000);
      expect(summary.sources.map((source) => source.uri)).toEqual(packs.map((_, i) => `pack-${i + 1}`));
      for (const { reference, sha256: digest } of images) {
        const pack = packs[reference.source]!;
        expect(sha256(pack.subarray(reference.offset, reference.offset! + reference.bytes))).toBe(digest);
      }
    });
  });

  it('packs only the classes asked for', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 2, dog: 3 });
      const path = await gzipped(join(root, 'a.tgz'), await readFile(await writeTar(join(root, 'a.tar'), files)));
      const { images, packs } = await scan(path, {}, ['dog']);
      expect(images.map((image) => image.className)).toEqual(['dog', 'dog', 'dog']);
      expect(packs[0]).toHaveLength(images.reduce((sum, { reference }) => sum + reference.bytes, 0));
    });
  });

  it('that was cut short is unreadable, and says where', async () => {
    await withFolder(async (root) => {
      const tar = await readFile(await writeTar(join(root, 'a.tar'), await pictures({ cat: 30 })));
      const path = await gzipped(join(root, 'a.tar.gz'), tar);
      const { length } = await readFile(path);
      for (const cut of [length - 4, length >> 1, 30]) {
        await truncate(path, cut);
        await expect(scan(path), `${cut}`).rejects.toMatchObject({
          code: 'SOURCE_UNREADABLE',
          message: new RegExp(`a\\.tar\\.gz.*byte \\d+ of the tar \\(byte ${cut} of the file\\)`) as never,
        });
      }
    });
  });

  it('that is no tar inside, or a bomb, is refused', async () => {
    await withFolder(async (root) => {
      const text = await gzipped(join(root, 'a.gz'), Buffer.alloc(5000, 'text '));
      await expect(scan(text)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
      const zeros = await writeTar(join(root, 'zeros.tar'), [
        { name: 'cat/1.raw', body: new Uint8Array(80 * 1024 * 1024) },
      ]);
      const bomb = await gzipped(join(root, 'bomb.tgz'), await readFile(zeros));
      await expect(scan(bomb)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: /250 times/ as never });
      const large = await writeTar(join(root, 'large.tar'), [{ name: 'cat/1.png', body: new Uint8Array(2000) }]);
      await expect(scan(large, { maxImageBytes: 1999 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    });
  });
});

describe('Parquet', () => {
  it('with a ClassLabel goes by name and stays in place', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 9, cat: 8 });
      const path = await writeParquet(join(root, 'a.parquet'), files, ['dog', 'cat', 'cow']);
      const { images, summary, packs } = await scan(path);
      expect(pairs(images)).toEqual(expected(files));
      expect(images.map((image) => image.reference.row)).toEqual(Array.from({ length: 17 }, (_, i) => i));
      expect(summary).toMatchObject({ format: 'parquet', emptyClasses: ['cow'], sources: [{ uri: path }] });
      expect(packs).toEqual([]);
    });
  });

  it('with labels as text, in a folder, and packed where it is large', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 5, cat: 4 });
      const [first, second] = [0, 1].map((part) =>
        Object.fromEntries(Object.entries(files).filter((_, i) => i % 2 === part)),
      );
      await writeFolder(root, { 'data/README.md': Buffer.from('x') });
      await writeParquet(join(root, 'data/train-00000-of-00002.parquet'), first!, null);
      await writeParquet(join(root, 'data/train-00001-of-00002.parquet'), second!, null);
      const inPlace = await scan(root);
      expect(pairs(inPlace.images)).toEqual(expected(files));
      expect(inPlace.summary.sources).toHaveLength(2);
      const packed = await scan(root, { parquetInPlaceBytes: 10 });
      expect(pairs(packed.images)).toEqual(expected(files));
      expect(packed.packs).toHaveLength(1);
      await writeParquet(join(root, 'data/test-00000-of-00001.parquet'), first!, null);
      await expect(scan(root)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /test, train/ as never });
    });
  });

  it('of two splits side by side is refused, by the names that splits go by', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 2 });
      await writeParquet(join(root, 'train.parquet'), files, null);
      await writeParquet(join(root, 'more.parquet'), files, null);
      expect((await scan(root)).images).toHaveLength(4);
      await writeParquet(join(root, 'test.parquet'), files, null);
      await expect(scan(root)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /test, train/ as never });
    });
  });

  it('is refused where a part of its set is missing, or parts of two sets lie there', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 2 });
      for (const part of [0, 2]) await writeParquet(join(root, `train-0000${part}-of-00003.parquet`), files, null);
      await expect(scan(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /all 3 parts of train in .*, got none called train-00001-of-00003\.parquet: copy it there/ as never,
      });
      await writeParquet(join(root, 'train-00001-of-00003.parquet'), files, null);
      expect((await scan(root)).images).toHaveLength(6);
      await writeParquet(join(root, 'train-00000-of-00001.parquet'), files, null);
      await expect(scan(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /parts of one set of train .*got train-00000-of-00001\.parquet beside train-00000-of-00003/ as never,
      });
    });
  });

  it('of files that name their classes and files that number them is refused', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 2 });
      await writeParquet(join(root, 'a.parquet'), files, null);
      await writeRows(join(root, 'b.parquet'), { label: [0n, 1n] });
      await expect(scan(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /names in a\.parquet and numbers without names in b\.parquet: write them alike/ as never,
      });
    });
  });

  it('takes the fine label of two, and true and false as names', async () => {
    await withFolder(async (root) => {
      const fine = { coarse_label: ['animal', 'animal'], fine_label: ['cat', 'dog'] };
      const { images } = await scan(await writeRows(join(root, 'a.parquet'), fine));
      expect(images.map(({ className }) => className)).toEqual(['cat', 'dog']);
      const { images: told } = await scan(await writeRows(join(root, 'b.parquet'), { label: [true, false] }));
      expect(told.map(({ className }) => className)).toEqual(['true', 'false']);
    });
  });

  it('without a row, or of paths alone, says so', async () => {
    await withFolder(async (root) => {
      const paths = await writeRows(join(root, 'a.parquet'), { label: ['cat', 'dog'], image: ['1.png', '2.png'] });
      await expect(scan(paths)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /image bytes in row 0 of .*, got a path alone: paths are not followed, write the images/ as never,
      });
    });
  });

  it('that was cut, lacks labels or has none for a row is refused', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ dog: 5, cat: 4 });
      const path = await writeParquet(join(root, 'a.parquet'), files, ['dog']);
      await expect(scan(path)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /row 5 of/ as never });
      await truncate(path, 300);
      await expect(scan(path)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    });
  });
});

describe('anything else', () => {
  it.each([
    ['a zip', Buffer.from('PK\x03\x04rest of it')],
    ['an empty file', Buffer.alloc(0)],
    ['text', Buffer.alloc(2000, 'some text ')],
  ])('%s is refused with the formats there are', async (_what, bytes) => {
    await withFolder(async (root) => {
      await writeFile(join(root, 'a.tar'), bytes);
      await expect(scan(join(root, 'a.tar'))).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /folder, \.tar or \.tar\.gz\), Parquet, WebDataset/ as never,
      });
    });
  });

  it('that is not there is unreadable', async () => {
    await expect(scan('/nowhere/at/all')).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });
});

/** A table of plain columns, with two images unless `image` says otherwise. */
async function writeRows(path: string, columns: Record<string, unknown[]>): Promise<string> {
  const all = { image: [await picture(1), await picture(2)], ...columns };
  const columnData = Object.entries(all).map(([name, data]) => ({ name, data: data as unknown as string[] }));
  await writeFile(path, new Uint8Array(parquetWriteBuffer({ columnData })));
  return path;
}

function sizes(files: Files): number {
  return Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
}
