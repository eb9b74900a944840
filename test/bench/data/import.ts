/** Import of CIFAR-10 against the least that any import of it must do: decompress the archive, hash each of its images. */
import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip, gunzipSync } from 'node:zlib';
import { createSourceScanner } from '../../../src/adapters/images/scan.ts';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { importDataset } from '../../../src/pipeline/dataset/import.ts';
import { CIFAR10 } from '../../support/shared-data.ts';
import { type BenchCase } from '../bench.ts';
import { interleavedMs } from '../measure.ts';

const TURNS = 15;
const CASES = {
  'import cifar10.tar.gz': 'gunzip, then hash',
  'import cifar10.tar.gz, against two threads': 'gunzip while hashing',
};

export async function* importCases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  if (!Object.keys(CASES).some(wanted)) return;
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-bench-'));
  try {
    // Removed each time: a gigabyte of files that wait to be written would be measured with them.
    const root = join(folder, 'store');
    const times = await interleavedMs(
      {
        ours: () => importInto(root),
        'gunzip, then hash': gunzipThenHash,
        'gunzip while hashing': gunzipWhileHashing,
      },
      { turns: TURNS, warmUp: 3, before: () => rm(root, { recursive: true, force: true }) },
    );
    for (const [name, peer] of Object.entries(CASES)) {
      if (!wanted(name)) continue;
      yield {
        case: name,
        unit: 'ms',
        ours: times['ours']!,
        peers: { [peer]: times[peer]! },
        target: 0.8,
        images: IMAGES,
      };
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function importInto(root: string): Promise<void> {
  const store = createDirectoryStore({ root, signingSecret: 'bench', publicUrl: () => '' });
  const scanner = createSourceScanner();
  const tempDir = join(root, 'temporary');
  const { images } = await importDataset({ scanner, store, projectId: 'bench', path: CIFAR10, tempDir });
  checkCount(images);
}

/** One after the other, on one thread: what a plain script does. */
async function gunzipThenHash(): Promise<void> {
  const counts = { images: 0 };
  hashMembers(gunzipSync(await readFile(CIFAR10)), counts);
  checkCount(counts.images);
}

/** The streams of Node, with pieces of the size that is fastest, which decompress on another thread. */
async function gunzipWhileHashing(): Promise<void> {
  const counts = { images: 0 };
  let rest: Buffer = Buffer.alloc(0);
  const bytes = createReadStream(CIFAR10, { highWaterMark: PIECE }).pipe(createGunzip({ chunkSize: PIECE }));
  for await (const piece of bytes as AsyncIterable<Buffer>) {
    rest = hashMembers(rest.length > 0 ? Buffer.concat([rest, piece]) : piece, counts);
  }
  checkCount(counts.images);
}

/** The least that reads this tar: sizes, and nothing of names, kinds or checksums. @returns what is left of it */
function hashMembers(tar: Buffer, counts: { images: number }): Buffer {
  let at = 0;
  while (tar.length - at >= BLOCK) {
    const size = tar[at] === 0 ? 0 : Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const end = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (end > tar.length) break;
    if (size > 0) {
      hash('sha256', tar.subarray(at + BLOCK, at + BLOCK + size));
      counts.images += 1;
    }
    at = end;
  }
  return tar.subarray(at);
}

function checkCount(images: number): void {
  if (images !== IMAGES) throw new Error(`expected ${IMAGES} images, got ${images}`);
}

const IMAGES = 50_000;
const BLOCK = 512;
const PIECE = 256 * 1024;
