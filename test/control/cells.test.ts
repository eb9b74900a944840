import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blobKey } from '../../src/pipeline/artifacts.ts';
import { imageUrl, type StoredImage } from '../../src/control/stored-images.ts';
import { distilled, type Distilled } from '../support/distilled.ts';
import { LOCAL, startWorld, type World } from './world.ts';

let world: World;
let run: Distilled;
beforeAll(async () => {
  world = await startWorld();
  run = await distilled(world, { a: 20, b: 30 });
}, 60_000);
afterAll(() => world?.close());

const artifact = (stage: string, at = 0) => run.published.get(stage)![at]!.manifest;
const cell = (artifactId: string, of: { className?: string; point?: number; datasetVersionId?: string } = {}) =>
  world.control.cell(LOCAL, { artifactId, className: null, point: 0, datasetVersionId: null, ...of });

describe('a cell', () => {
  it('is that of its codebook, whatever leads there', async () => {
    const codebook = artifact('quantize', 1);
    const { weight, count, distortionShare, className, datasetVersion } = await cell(codebook.id);
    expect(className).toBe('b');
    expect(datasetVersion!.id).toBe(run.versionId);
    expect(weight).toBeCloseTo(count / codebook.metrics['trainN']!);
    expect(distortionShare).toBeGreaterThan(0);
    for (const id of [artifact('decode', 1).id, artifact('label', 1).id])
      expect(await cell(id)).toMatchObject({ codebook: { id: codebook.id }, weight, count });
    for (const id of [artifact('report', 0).id, artifact('report', 1).id])
      expect(await cell(id, { className: 'b' })).toMatchObject({ codebook: { id: codebook.id }, weight, count });
  });

  it('comes in pages, nearest first, and tells where its images lie', async () => {
    const { count, members } = await cell(artifact('quantize', 1).id, { point: 1 });
    const all = members({ first: 100, after: 0 });
    expect(all).toMatchObject({ hasMore: false });
    expect(all.items.map(({ rank }) => rank)).toEqual(Array.from({ length: count }, (_, i) => i));
    const pages = [];
    for (let after = 0; after < count; after += 4) pages.push(...members({ first: 4, after }).items);
    expect(pages.map(({ sha256 }) => sha256)).toEqual(all.items.map(({ sha256 }) => sha256));
    expect(members({ first: 4, after: 0 }).hasMore).toBe(true);
    expect(members({ first: 4, after: count })).toEqual({ items: [], hasMore: false });
    const images = await Promise.all(all.items.map(({ image }) => image()));
    for (const image of images) expect(image).toMatchObject({ format: 'folder', offset: null, row: null });
    expect(images.every((image) => image!.file.endsWith(`/${image!.path}`))).toBe(true);
  });

  it('reads the latents of a class once for all its pages and points', async () => {
    const reads = vi.spyOn(world.store, 'get');
    const fresh = await distilled(world, { a: 23 }, { name: 'read once' });
    reads.mockClear();
    const id = fresh.published.get('quantize')![0]!.manifest.id;
    await Promise.all([cell(id), cell(id, { point: 1 })]);
    const blob = fresh.published.get('encode')![0]!.manifest.blobs['latents.safetensors']!;
    const key = blobKey(LOCAL.projectId, blob.sha256);
    // for their order, and for their distances
    expect(reads.mock.calls.filter(([read]) => read === key)).toHaveLength(2);
    reads.mockRestore();
  });

  it('names no images of a version that has them not', async () => {
    const other = await distilled(world, { c: 9 }, { name: 'other' });
    const { datasetVersion, members } = await cell(artifact('quantize').id, { datasetVersionId: other.versionId });
    expect(datasetVersion!.id).toBe(other.versionId);
    expect(await members({ first: 1, after: 0 }).items[0]!.image()).toBeNull();
  });

  it.each([
    ['a kind without points', () => cell(artifact('encode').id), 'INVALID_INPUT', /got artifact \S+, a latents: name/],
    [
      'no class where there are several',
      () => cell(artifact('report').id),
      'INVALID_INPUT',
      /got null: choose from a, b/,
    ],
    [
      'another class',
      () => cell(artifact('quantize').id, { className: 'b' }),
      'INVALID_INPUT',
      /got "b": choose from a$/,
    ],
    [
      'a point too many',
      () => cell(artifact('quantize').id, { point: 2 }),
      'INVALID_INPUT',
      /number from 0 to 1, got 2/,
    ],
    ['a negative point', () => cell(artifact('quantize').id, { point: -1 }), 'INVALID_INPUT', /from 0 to 1, got -1/],
    ['no such artifact', () => cell('none'), 'NOT_FOUND', /artifact none in this project/],
    [
      'no such version',
      () => cell(artifact('quantize').id, { datasetVersionId: 'none' }),
      'NOT_FOUND',
      /dataset version none/,
    ],
  ])('is refused for %s', async (_, asked, code, message) => {
    const error = await asked().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('is refused once the bytes of its latents were deleted, and of another project', async () => {
    const { id } = artifact('encode');
    await sql`update artifacts set state = 'DELETED', deleted_at = now() where id = ${id}`.execute(world.db);
    await expect(cell(artifact('quantize').id)).rejects.toMatchObject({ code: 'ARTIFACT_DELETED' });
    await sql`update artifacts set state = 'KEPT', deleted_at = null where id = ${id}`.execute(world.db);
    await world.catalog.ensureProject({ id: 'other', name: 'Other' });
    const asked = { artifactId: artifact('quantize').id, className: null, point: 0, datasetVersionId: null };
    const stranger = world.control.cell({ projectId: 'other', actor: 'stranger' }, asked);
    await expect(stranger).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the URL of an image', () => {
  const url = (file: string, expiresSeconds = 60) => {
    const image: StoredImage = { ...{ path: 'a/1.png', file, format: 'pack' }, offset: 0, row: null, bytes: 1 };
    return imageUrl(world.store, LOCAL, image, expiresSeconds);
  };

  it('is one of what lies in the store of the project, and of nothing else', async () => {
    expect(await url('projects/default/blobs/abc')).toContain('/objects/projects/default/blobs/abc');
    expect(await url('upload:up_1/a/1.png')).toContain('/objects/projects/default/uploads/up_1/a/1.png');
    for (const file of ['projects/other/blobs/abc', '/data/a/1.png', 's3://bucket/a/1.png'])
      expect(await url(file)).toBeNull();
    await expect(url('/data/a/1.png', 0)).rejects.toThrow(/expiresSeconds from 1/);
  });
});
