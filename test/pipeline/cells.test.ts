import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSourceScanner } from '../../src/adapters/images/scan.ts';
import { sha256 } from '../../src/base/json.ts';
import { squaredDistance } from '../../src/numerics/math/distance.ts';
import { blobKey, createPublications, putBlob, readManifest } from '../../src/pipeline/artifacts.ts';
import { cellOf, identityOf, readCells, type ClassCells } from '../../src/pipeline/cells.ts';
import { importDataset } from '../../src/pipeline/dataset/import.ts';
import { imagePlaces } from '../../src/pipeline/dataset/places.ts';
import { readChunks, readEntries } from '../../src/pipeline/dataset/version.ts';
import { writeSafetensors } from '../../src/pipeline/formats/safetensors.ts';
import { readClass, readTensors } from '../../src/pipeline/latents.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';
import { createChain } from '../support/chain.ts';
import { picture, pictures, withFolder, writeFolder } from '../support/image-sources.ts';
import { publishLatents, type Sample } from '../support/latents.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { manifestOf, taskOf } from '../support/tasks.ts';
import { tinyPriorBundle } from '../support/tiny-prior.ts';

const K = 3;

/** What has to hold of the cells of any class. */
function checkPartition(cells: ClassCells, trainN: number): void {
  const found = Array.from(cells.weights, (_, point) => cellOf(cells, point));
  const members = found.flatMap((cell) => [...cell.members]);
  expect(members.length).toBe(trainN);
  expect(new Set(members).size).toBe(trainN);
  for (const [point, { count, weight, members: own }] of found.entries()) {
    expect(own.length).toBe(count);
    expect(count).toBe(cells.counts[point]);
    expect(weight).toBeCloseTo(count / trainN, 12);
    const distances = [...own].map((i) => cells.squaredDistances[i]!);
    expect(distances).toEqual([...distances].sort((a, b) => a - b));
  }
  expect(found.reduce((sum, { distortionShare }) => sum + distortionShare, 0)).toBeCloseTo(1, 12);
}

describe('the cells of a codebook', () => {
  it('part what the quantizer learned from, each sample at its nearest point, and name the images', () =>
    withFolder(async (folder) => {
      await writeFolder(folder, { ...(await pictures({ a: 40 })), 'a/twin.png': await picture(3) });
      const chain = createChain(createMemoryStore());
      const prepared = { version: await chain.importPath(folder), prior: await chain.publish(tinyPriorBundle()) };
      const recipe = { imagesPerClass: K, compare: { mode: 'OFF' }, decoder: { steps: 2 } };
      const published = await chain.run({ ...prepared, recipe });
      const { manifest } = published.get('quantize')![0]!;
      const cells = await readCells(chain.store, 'p', { codebook: manifest.id, latents: manifest.inputs });
      checkPartition(cells, manifest.metrics['trainN']!);

      const { points } = await readClass(chain.store, 'p', manifest.inputs);
      const { centroids } = await readTensors(chain.store, 'p', manifest.id, 'codebook.safetensors');
      const distance = (i: number, k: number) =>
        squaredDistance(points.values, i, centroids!.data as Float32Array, k, points.d);
      let distortion = 0;
      for (let point = 0; point < K; point++) {
        const cell = cellOf(cells, point);
        for (const i of cell.members) {
          const all = [0, 1, 2].map((k) => distance(i, k));
          expect(cells.squaredDistances[i]).toBeCloseTo(Math.min(...all), 9);
          expect(all.indexOf(Math.min(...all))).toBe(point);
        }
        distortion += cell.weight * cell.distortion;
      }
      expect(distortion).toBeCloseTo(manifest.metrics['distortion']!, 9);

      const encoded = published.get('encode')![0]!.manifest;
      const samples = Array.from({ length: 41 }, (_, i) => identityOf(cells, i));
      const wanted = samples.map(({ part: _, ...image }) => ({ ...image, chunk: encoded.options['images'] as string }));
      const places = await imagePlaces(chain.store, 'p', prepared.version, wanted);
      const files = places.map((place) => place!.reference.path);
      expect(new Set(files).size).toBe(41);
      expect(files.map((file) => sha256(readFileSync(join(folder, file))))).toEqual(wanted.map((one) => one.sha256));
      expect(places[0]!.source).toMatchObject({ format: 'folder', uri: folder });
    }));

  const samples = Array.from({ length: 300 }, (_, i): Sample => ({
    digest: sha256(`image ${i}`),
    latent: [i, 0, 0, 0],
  }));

  it('are the same however the class was cut into chunks', async () => {
    const store = createMemoryStore();
    const cut = [samples.slice(0, 120), samples.slice(120, 121), samples.slice(121)];
    const [whole, parts] = [await codebook(store, [samples]), await codebook(store, cut)];
    const [a, b] = [await readCells(store, 'p', whole), await readCells(store, 'p', parts)];
    checkPartition(a, 290);
    expect(b).toEqual({ ...a, part: b.part });
    expect(cellOf(b, 1)).toEqual(cellOf(a, 1));
    const names = (cells: ClassCells) => Array.from({ length: 300 }, (_, i) => identityOf(cells, i).sha256);
    expect(names(b)).toEqual(samples.map(({ digest }) => digest).sort());
    expect([...b.part].map((part) => cut[part]!.length).filter((length) => length === 1)).toHaveLength(1);
  });

  it('are refused where the latents are not those that it was made from, and where they are gone', async () => {
    const store = createMemoryStore();
    const whole = await codebook(store, [samples]);
    const [others] = await publishLatents(store, [samples.slice(1)]);
    const refused = readCells(store, 'p', { ...whole, latents: [others!] });
    await expect(refused).rejects.toThrow(/latents of the 300 samples of codebook .*, got 299: delete/);
    const manifest = await readManifest(store, 'p', others!);
    await store.delete(blobKey('p', manifest.blobs['latents.safetensors']!.sha256));
    await expect(readCells(store, 'p', { ...whole, latents: [others!] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the places of images', () => {
  it('are found in every chunk of a version, and null in one that has not got them', () =>
    withFolder(async (root) => {
      const store = createMemoryStore();
      const chunkSizes = { min: 1, target: 4, max: 8 };
      const imported = async (name: string, counts: Record<string, number>) => {
        const path = await writeFolder(join(root, name), await pictures(counts));
        const request = { scanner: createSourceScanner(), store, projectId: 'p', path, tempDir: join(root, 'temp') };
        return (await importDataset({ ...request, chunkSizes })).manifest;
      };
      const version = await imported('all', { a: 30 });
      const chunks = await readChunks(store, 'p', version);
      expect(chunks.length).toBeGreaterThan(2);
      const entries = await Promise.all(chunks.map((chunk) => readEntries(store, 'p', version, chunk)));
      const wanted = entries
        .flatMap((some, c) => some.map((entry) => ({ chunk: chunks[c]!.digest, sha256: entry.sha256, copy: 0 })))
        .reverse();
      const places = await imagePlaces(store, 'p', version, wanted);
      expect(places.map((place) => place!.reference.path)).toEqual(
        entries
          .flat()
          .reverse()
          .map((entry) => entry.reference.path),
      );
      const other = await imported('other', { b: 3 });
      expect(await imagePlaces(store, 'p', other, wanted.slice(0, 2))).toEqual([null, null]);
    }));
});

/** A codebook of two points on the line that the samples lie on; the ten smallest digests are held out. */
async function codebook(store: ObjectStore, parts: readonly (readonly Sample[])[]) {
  const latents = await publishLatents(store, parts);
  const ordered = parts.flat().sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const assignment = Int32Array.from(ordered, ({ latent }, i) => (i < 10 ? -1 : latent[0]! < 150 ? 0 : 1));
  const counts = [0, 1].map((point) => assignment.filter((one) => one === point).length);
  const bytes = writeSafetensors({
    centroids: { type: 'float32', data: Float32Array.from([75, 0, 0, 0, 225, 0, 0, 0]), shape: [2, 1, 2, 2] },
    weights: { type: 'float64', data: Float64Array.from(counts, (count) => count / 290), shape: [2] },
    counts: { type: 'int32', data: Int32Array.from(counts), shape: [2] },
    assignment: { type: 'int32', data: assignment, shape: [assignment.length] },
  });
  const blob = await putBlob(store, 'p', bytes, 'application/vnd.safetensors');
  const manifest = manifestOf(taskOf({ stage: 'quantize', inputs: latents }));
  const published = { ...manifest, blobs: { 'codebook.safetensors': blob } };
  return { codebook: (await createPublications(store).publish('p', published)).id, latents };
}
