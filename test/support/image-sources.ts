import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { pack } from 'tar-stream';

/** Stored images by path, for example `cat/1.png`. */
export type Files = Record<string, Uint8Array>;

/** A small PNG that differs for each number. */
export async function picture(number: number, size = 8): Promise<Buffer> {
  const data = Buffer.from(
    Array.from({ length: size * size * 3 }, (_, i) => (i * 31 + number * 97 + ((i * number) >> 3)) % 256),
  );
  return await sharp(data, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
}

/** Classes of so many images each, at `<class>/<number>.png`. */
export async function pictures(classes: Record<string, number>): Promise<Files> {
  const files: Files = {};
  let number = 0;
  for (const [name, count] of Object.entries(classes)) {
    for (let i = 0; i < count; i++) files[`${name}/${String(i).padStart(4, '0')}.png`] = await picture(number++);
  }
  return files;
}

/** A folder that is removed once `use` has ended. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-images-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function writeFolder(root: string, files: Files): Promise<string> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), bytes);
  }
  return root;
}

export type Member = {
  name: string;
  type?: 'file' | 'directory' | 'symlink' | 'link';
  linkname?: string;
  body?: Uint8Array;
};

export async function writeTar(path: string, members: Files | Member[]): Promise<string> {
  const tar = pack();
  const list: Member[] = Array.isArray(members)
    ? members
    : Object.entries(members).map(([name, body]) => ({ name, body }));
  for (const { name, type = 'file', linkname, body } of list) {
    tar.entry({ name, type, mtime: new Date(0), ...(linkname ? { linkname } : {}) }, Buffer.from(body ?? []));
  }
  tar.finalize();
  await pipeline(tar as unknown as NodeJS.ReadableStream, createWriteStream(path));
  return path;
}

export async function gzipped(path: string, tar: Uint8Array): Promise<string> {
  await writeFile(path, gzipSync(tar));
  return path;
}

/** A table in the Hugging Face layout; with `names`, labels are integers of a ClassLabel, else text. */
export async function writeParquet(
  path: string,
  files: Files,
  names: string[] | null,
  rowGroupSize = 7,
): Promise<string> {
  const rows = Object.entries(files);
  const classOf = (file: string) => file.split('/').at(-2)!;
  const features = { image: { _type: 'Image' }, label: { names, _type: 'ClassLabel' } };
  const file = parquetWriteBuffer({
    columnData: [
      { name: 'image', data: rows.map(([name, bytes]) => ({ bytes, path: name })) },
      {
        name: 'label',
        data: names
          ? BigInt64Array.from(rows, ([name]) => BigInt(names.indexOf(classOf(name))))
          : rows.map(([name]) => classOf(name)),
      },
    ],
    schema: [
      { name: 'schema', num_children: 2 },
      { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      names
        ? { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' }
        : { name: 'label', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    rowGroupSize,
    kvMetadata: names ? [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }] : [],
  });
  await writeFile(path, new Uint8Array(file));
  return path;
}
