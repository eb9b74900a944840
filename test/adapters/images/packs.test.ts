import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPacker, type Packer } from '../../../src/adapters/images/packs.ts';
import { sha256 } from '../../../src/base/json.ts';
import { type ImageReference, type ImageSource } from '../../../src/pipeline/ports.ts';

const MIB = 1024 * 1024;

/** Keeps the packs; takes each piece only after some turns of the event loop. */
function slowStore() {
  const packs: Buffer[] = [];
  const writePack = async (pieces: AsyncIterable<Uint8Array>): Promise<ImageSource> => {
    const parts: Buffer[] = [];
    for await (const piece of pieces) {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      parts.push(Buffer.from(piece));
    }
    const bytes = Buffer.concat(parts);
    packs.push(bytes);
    return { kind: 'object', uri: `pack-${packs.length}`, format: 'pack', bytes: bytes.length, etag: sha256(bytes) };
  };
  return { packs, writePack };
}

async function addAll(packer: Packer, images: readonly Uint8Array[]): Promise<ImageReference[]> {
  const references: ImageReference[] = [];
  for (const [i, bytes] of images.entries()) references.push(await packer.add(`${i}`, bytes));
  return references;
}

describe('createPacker', () => {
  it('lays images end to end while a slow store takes them, in packs that are named when they end', async () => {
    const { packs, writePack } = slowStore();
    const sources: ImageSource[] = [];
    const sizes = [10, 3 * MIB, 0, 700_000, 512 * 1024, 1, 5 * MIB, 4 * MIB, 2 * MIB, 2 * MIB];
    const images = sizes.map((size) => randomBytes(size));
    await using packer = createPacker(writePack, sources, 6 * MIB);
    const references = await addAll(packer, images);
    await packer.end();
    expect(sources.map(({ uri }) => uri)).toEqual(packs.map((_, i) => `pack-${i + 1}`));
    expect(packs.every((pack) => pack.length <= 6 * MIB)).toBe(true);
    for (const [i, { source, offset, bytes }] of references.entries()) {
      expect(packs[source]!.subarray(offset, offset! + bytes).equals(images[i]!)).toBe(true);
    }
    expect(packs.reduce((sum, pack) => sum + pack.length, 0)).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it('stores nothing where there is nothing', async () => {
    const { packs, writePack } = slowStore();
    const packer = createPacker(writePack, [], MIB);
    await packer.end();
    expect(packs).toEqual([]);
  });

  it('hands on what went wrong in the store', async () => {
    const failing = async (pieces: AsyncIterable<Uint8Array>): Promise<ImageSource> => {
      for await (const piece of pieces) throw new Error(`the disk is full after ${piece.length}`);
      throw new Error('never');
    };
    await using packer = createPacker(failing, [], 64 * MIB);
    const images = Array.from({ length: 20 }, () => randomBytes(MIB));
    await expect(addAll(packer, images)).rejects.toThrow('the disk is full after 524288');
    await expect(packer.end()).rejects.toThrow('the disk is full');
  });

  it('gives a pack up that never ends, so that whoever stores it stops', async () => {
    const { packs, writePack } = slowStore();
    let stored: Promise<ImageSource> | null = null;
    {
      await using packer = createPacker((pieces) => (stored = writePack(pieces)), [], 64 * MIB);
      await addAll(packer, [randomBytes(3 * MIB)]);
    }
    await expect(stored).rejects.toThrow('given up');
    expect(packs).toEqual([]);
  });
});
