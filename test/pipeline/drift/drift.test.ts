import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, sha256 } from '../../../src/base/json.ts';
import { type ArtifactManifest, type Published } from '../../../src/engine/ports.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { createPublications, getBlob } from '../../../src/pipeline/artifacts.ts';
import { type ClassDrift, type OverallDrift } from '../../../src/pipeline/drift/verdict.ts';
import { createChain, type Chain } from '../../support/chain.ts';
import { type Files, withFolder, writeFolder } from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { ROOT } from '../../support/service-process.ts';
import { tinyPriorBundle } from '../../support/tiny-prior.ts';

/** Distils with half of each class held out, so that there is enough to compare with. */
const RECIPE = {
  imagesPerClass: 3,
  holdout: 0.5,
  quantizer: { restarts: 2 },
  compare: { mode: 'OFF' },
  survey: { mode: 'OFF' },
  decoder: { steps: 2 },
};
const ASKED = { kind: 'DRIFT', against: 'production', referenceRunId: 'run_1' };

/** Speckled pictures around the colour of a class, `from` to `to`: each number is another picture of one distribution. */
async function speckled(
  folder: string,
  [red, green, blue]: readonly number[],
  from: number,
  to: number,
): Promise<Files> {
  const files: Files = {};
  for (let number = from; number < to; number++) {
    const random = randomStream({ seed: number, classIndex: red! * 65536 + green! * 256 + blue!, purpose: 'speckles' });
    const colour = [red!, green!, blue!].map((value, channel) => value + 25 * random.normal(1000 + channel));
    const data = Buffer.from(
      Array.from({ length: 192 }, (_, i) =>
        Math.max(0, Math.min(255, Math.round(colour[i % 3]! + 20 * random.normal(i)))),
      ),
    );
    const image = sharp(data, { raw: { width: 8, height: 8, channels: 3 } });
    files[`${folder}/${String(number).padStart(4, '0')}.png`] = await image.png().toBuffer();
  }
  return files;
}

const A = [200, 60, 60] as const;
const B = [60, 60, 200] as const;
const DARK = [30, 30, 30] as const;

const chain: Chain = createChain(createMemoryStore());
let folder: string;
let done: () => void;
let prior: ArtifactManifest;
let reference: string;
let versions = 0;

beforeAll(async () => {
  await new Promise<void>((ready) => {
    void withFolder(async (made) => {
      folder = made;
      ready();
      await new Promise<void>((end) => (done = end));
    });
  });
  prior = await chain.publish(tinyPriorBundle());
  const version = await versionOf({ ...(await speckled('a', A, 0, 120)), ...(await speckled('b', B, 0, 120)) });
  const published = await chain.run({ version, prior, recipe: RECIPE });
  reference = await stageOf(published.get('quantize')!);
}, 60_000);
afterAll(() => done());

async function versionOf(files: Files): Promise<ArtifactManifest> {
  return await chain.importPath(await writeFolder(join(folder, String(versions++)), files));
}

/** What the engine publishes of a stage. */
async function stageOf(tasks: readonly Published[]): Promise<string> {
  const ids = tasks.map(({ manifest }) => manifest.id);
  const id = digestOf({ tasks: ids });
  const named = { formatVersion: 1 as const, id, stage: 'quantize', stageVersion: 4, kind: 'stage', options: {} };
  const manifest = { ...named, inputs: ids, blobs: {}, content: { tasks: ids }, metrics: {}, produced: {} };
  await createPublications(chain.store).publish('p', manifest);
  return id;
}

interface Found {
  published: Map<string, Published[]>;
  overall: OverallDrift;
  classes: Record<string, ClassDrift>;
  /** Digests of the report's files. */
  files: string[];
}

type Options = Partial<Parameters<Chain['run']>[0]>;

async function driftOf(version: ArtifactManifest, recipe: object = {}, options: Options = {}): Promise<Found> {
  const published = await chain.run({ version, prior, recipe: { ...ASKED, ...recipe }, reference, ...options });
  const { content, blobs } = published.get('verdict')![0]!.manifest;
  const { overall, classes } = content as unknown as { overall: OverallDrift; classes: ClassDrift[] };
  return {
    ...{ published, overall, files: Object.values(blobs).map((blob) => blob.sha256) },
    classes: Object.fromEntries(classes.map((one) => [one.className, one])),
  };
}

const text = async ({ published }: Found, name: string) =>
  new TextDecoder().decode(await getBlob(chain.store, 'p', published.get('verdict')![0]!.manifest.blobs[name]!));

describe('a drift run', () => {
  it('finds nothing in new images of the same kind, and counts those that were there before', async () => {
    const version = await versionOf({ ...(await speckled('a', A, 60, 200)), ...(await speckled('b', B, 0, 200)) });
    const { overall, classes } = await driftOf(version);
    expect(overall).toMatchObject({ alarm: false, classes: 2, classesTested: 2, classesDrifted: 0, fresh: 160 });
    expect(classes['a']).toMatchObject({ state: 'TESTED', images: 140, fresh: 80, kept: 60, removed: 60, sampled: 80 });
    expect(classes['b']).toMatchObject({ fresh: 80, kept: 120, removed: 0, referenceN: 60, k: 3 });
    expect(overall.minPValue).toBeGreaterThan(0.05);
    expect(Math.abs(classes['a']!.distanceRatio! - 1)).toBeLessThan(0.2);
  });

  it('names the class whose images are others', async () => {
    const version = await versionOf({ ...(await speckled('a', DARK, 0, 80)), ...(await speckled('b', B, 200, 280)) });
    const found = await driftOf(version);
    expect(found.overall).toMatchObject({ alarm: true, classesDrifted: 1 });
    expect(found.overall.minPValue).toBeLessThan(1e-6);
    expect(found.classes['a']).toMatchObject({ drifted: true, distancePValue: expect.any(Number) });
    expect(found.classes['a']!.distanceRatio).toBeGreaterThan(1.2);
    expect(found.classes['b']!.drifted).toBe(false);
    expect(await text(found, 'report.html')).toContain('New images are not like those that were held out in: a.');
  });

  it('finds a mixture that changed, where each image lies as near as before', async () => {
    const version = await versionOf({ ...(await speckled('a', A, 120, 125)), ...(await speckled('b', B, 0, 1)) });
    const one = await speckled('a', A, 125, 126);
    const twins = Object.fromEntries(
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          // the same picture but for a pixel
          const { data } = await sharp(Object.values(one)[0]!).raw().toBuffer({ resolveWithObject: true });
          data[i * 3] = data[i * 3]! ^ 1;
          const image = sharp(data, { raw: { width: 8, height: 8, channels: 3 } });
          return [`a/twin-${i}.png`, await image.png().toBuffer()] as const;
        }),
      ),
    );
    expect((await driftOf(version)).classes['a']).toMatchObject({ state: 'TOO_FEW', drifted: false, fresh: 5 });
    const collapsed = await driftOf(await versionOf({ ...twins, ...(await speckled('b', B, 0, 1)) }));
    expect(collapsed.classes['a']!.massPValueCorrected).toBeLessThan(0.001);
    expect(collapsed.classes['a']).toMatchObject({ drifted: true });
    expect(collapsed.classes['a']!.massChange).toBeGreaterThan(0.2);
  });

  it('has nothing to encode where no image is new', async () => {
    const version = await versionOf({ ...(await speckled('a', A, 0, 120)), ...(await speckled('b', B, 10, 90)) });
    const { overall, classes, published } = await driftOf(version);
    expect([...published.keys()]).toEqual(['sample', 'verdict']);
    expect(overall).toMatchObject({
      alarm: false,
      classesTested: 0,
      fresh: 0,
      minPValue: null,
      maxDistanceRatio: null,
    });
    expect(classes['a']).toMatchObject({ state: 'UNCHANGED', kept: 120, removed: 0 });
    expect(classes['b']).toMatchObject({ state: 'UNCHANGED', kept: 80, removed: 40 });
  });

  it('names classes that came and went: an alarm, unless that is ignored', async () => {
    const version = await versionOf({ ...(await speckled('a', A, 0, 100)), ...(await speckled('c', DARK, 0, 9)) });
    const { overall, classes } = await driftOf(version);
    expect(overall).toMatchObject({ alarm: true, newClasses: 1, vanishedClasses: 1, classesDrifted: 0 });
    expect(classes['c']).toMatchObject({ state: 'NEW', drifted: true, images: 9 });
    expect(classes['b']).toMatchObject({ state: 'VANISHED', drifted: true, images: 0, removed: 120 });
    const ignored = await driftOf(version, { classChanges: 'IGNORE' });
    expect(ignored.overall).toMatchObject({ alarm: false, newClasses: 1, vanishedClasses: 1 });
    const narrowed = await driftOf(version, { classes: ['a'] });
    expect(narrowed.overall).toMatchObject({ alarm: false, classes: 1, newClasses: 0, vanishedClasses: 0 });
  });

  it('lets a change pass that is smaller than was asked for', async () => {
    const version = await versionOf({ ...(await speckled('a', DARK, 0, 80)), ...(await speckled('b', B, 200, 280)) });
    const { overall, classes } = await driftOf(version, { minEffect: { distance: 1000, mass: 1 } });
    expect(classes['a']!.distancePValueCorrected).toBeLessThan(1e-6);
    expect(overall).toMatchObject({ alarm: false, classesDrifted: 0 });
  });

  it('gives the same bytes for any batch and order, and where latents are there already, which are then not made again', async () => {
    const files = { ...(await speckled('a', A, 100, 180)), ...(await speckled('b', B, 90, 170)) };
    const version = await versionOf(files);
    const first = await driftOf(version, { samplesPerClass: 40 });
    expect(first.published.get('encode')!.map(({ task }) => [task.title, task.items])).toEqual([
      ['a', 40],
      ['b', 40],
    ]);
    const again = await driftOf(version, { samplesPerClass: 40 }, { batch: 7, order: (tasks) => [...tasks].reverse() });
    expect(again.files).toEqual(first.files);

    const distilled = await chain.run({ version, prior, recipe: RECIPE });
    const cached = await driftOf(version, { samplesPerClass: 40 });
    const idsOf = (published: Map<string, Published[]>) => published.get('encode')!.map(({ task }) => task.artifactId);
    expect(idsOf(cached.published)).toEqual(idsOf(distilled));
    expect(cached.published.get('drift')!.map(({ manifest }) => manifest.id)).toEqual(
      first.published.get('drift')!.map(({ manifest }) => manifest.id),
    );
    expect(cached.files).toEqual(first.files);
    const other = await driftOf(version, { samplesPerClass: 40, seed: 1 });
    expect(other.files).not.toEqual(first.files);
  });

  it('tells what schema/drift/drift.json describes, and a page without anything from elsewhere', async () => {
    const version = await versionOf({
      ...{ ...(await speckled('a', A, 100, 180)), ...(await speckled('<script>', B, 0, 3)) },
    });
    const found = await driftOf(version);
    const schema = JSON.parse(readFileSync(join(ROOT, 'schema/drift/drift.json'), 'utf8')) as object;
    const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema);
    const told = JSON.parse(await text(found, 'drift.json')) as { made: object };
    expect(validate(told), JSON.stringify(validate.errors)).toBe(true);
    expect(told.made).toMatchObject({ reference: { against: 'production', runId: 'run_1', codebooks: reference } });
    const page = await text(found, 'report.html');
    expect(page).not.toMatch(/<script|src=|href=/);
    expect(page).toContain('Classes that nobody distilled: &#60;script&#62;.');
    expect(sha256(page)).toHaveLength(64);
  });
});
