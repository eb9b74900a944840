/** Latents of the datasets at hand, by our own encoder: made once, kept in node_modules/.cache. */
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createImageCodec } from '../../src/adapters/images/codec.ts';
import { createModelRuntime } from '../../src/adapters/runtime/index.ts';
import { bundleFolder } from '../../src/adapters/storage/bundle-folder.ts';
import { type Points } from '../../src/numerics/math/points.ts';
import { randomStream } from '../../src/numerics/math/random.ts';
import { decodedBatches } from '../../src/pipeline/images.ts';
import { type StoredImage } from '../../src/pipeline/ports.ts';
import { readBundle } from '../../src/pipeline/prior/bundle.ts';
import { priorOf } from '../../src/pipeline/prior/model.ts';
import { scanned } from '../support/scanned.ts';
import { ROOT } from '../support/service-process.ts';

export interface ClassLatents {
  readonly className: string;
  /** in the order of the digests of the images */
  readonly points: Points;
}

/** Where the images of a prior's dataset lie. CIFAR-10 is not ours to ship: a tar of class folders, named by CIFAR10 or beside the project. */
const DATASETS = {
  glyphs: join(ROOT, 'priors/glyphs/dataset/train.parquet'),
  cifar10: process.env['CIFAR10'] ?? join(ROOT, '../shared/data/cifar10/train.tar.gz'),
};

export type LatentSet = keyof typeof DATASETS;

export const CACHE = join(ROOT, 'node_modules/.cache/bench');

/** What is done to images before they are encoded. */
export interface Alteration {
  /** Names the file that the latents are kept in: another way to alter is another name. */
  readonly name: string;
  /** The last so many images of each class. */
  readonly most: number;
  /** @param pixels (size, size, channels), changed in place; `number` counts the images of a class */
  alter(pixels: Uint8Array, size: number, channels: number, number: number): void;
}

/** @throws if the dataset is not there, saying how to name it */
export async function latentsOf(set: LatentSet, alteration?: Alteration): Promise<ClassLatents[]> {
  const path = DATASETS[set];
  await access(path).catch(() => {
    throw new Error(`expected the images of ${set} at ${path}: set CIFAR10 to a tar.gz of class folders`);
  });
  const prior = join(ROOT, 'priors', set);
  const digest = JSON.parse(await readFile(join(prior, 'prior.json'), 'utf8')) as {
    files: Record<string, { sha256: string }>;
  };
  const folder = join(
    CACHE,
    `latents-${set}-${digest.files['vae_encoder/model.onnx']!.sha256.slice(0, 12)}${alteration ? `-${alteration.name}` : ''}`,
  );
  const complete = join(folder, 'classes.json');
  if (!(await readdir(folder).catch((): string[] => [])).includes('classes.json')) {
    await mkdir(folder, { recursive: true });
    const classes = await encoded(path, prior, folder, alteration);
    await writeFile(complete, JSON.stringify(classes));
  }
  const classes = JSON.parse(await readFile(complete, 'utf8')) as { className: string; n: number; d: number }[];
  return await Promise.all(
    classes.map(async ({ className, n, d }) => {
      const bytes = await readFile(join(folder, `${className}.f32`));
      return { className, points: { values: new Float32Array(Uint8Array.from(bytes).buffer), n, d } };
    }),
  );
}

async function encoded(path: string, priorFolder: string, folder: string, alteration?: Alteration) {
  const runtime = await createModelRuntime({ provider: 'cpu', threads: 2 });
  const files = bundleFolder(priorFolder);
  const { description, read } = await readBundle(files);
  const prior = priorOf(description, read, runtime);
  const source = await scanned(path);
  const classOf = new Map(source.images.map((image) => [image.sha256, image.className]));
  const stored = Map.groupBy(await source.read(), (image) => classOf.get(image.entry.sha256)!);
  const classes: { className: string; n: number; d: number }[] = [];
  for (const className of [...stored.keys()].sort()) {
    const images = stored.get(className)!.slice(alteration ? -alteration.most : 0);
    const target = { ...description.image, maxPixels: 1e6 };
    const batches = decodedBatches(from(images), createImageCodec(), target, 64, new AbortController().signal);
    const parts: Float32Array[] = [];
    let n = 0;
    const { height: size, channels } = description.image;
    const bytes = size * size * channels;
    for await (const { pixels, digests } of batches) {
      if (alteration)
        for (let i = 0; i < digests.length; i++)
          alteration.alter(pixels.subarray(i * bytes, (i + 1) * bytes), size, channels, n + i);
      parts.push(await prior.encode(pixels));
      n += digests.length;
    }
    const d = description.latent.channels * description.latent.height * description.latent.width;
    await writeFile(join(folder, `${className}.f32`), Buffer.concat(parts.map((part) => new Uint8Array(part.buffer))));
    classes.push({ className, n, d });
  }
  await runtime.close();
  return classes;
}

async function* from(images: readonly StoredImage[]): AsyncGenerator<StoredImage> {
  for (const image of images) yield await Promise.resolve(image);
}

/**
 * What the latents of a class look like to a quantizer where there is no encoder at hand: a power law of variances over d
 * directions, mixed by neighbours as a picture's are, and a few modes of uneven mass.
 */
export function correlatedLatents(n: number, d: number, seed = 1): Points {
  const stream = randomStream({ seed, classIndex: 0, purpose: 'correlated latents' });
  const modes = 12;
  const values = stream.normals(n * d);
  const centres = stream.normals(modes * d, n * d);
  const row = new Float64Array(d);
  for (let i = 0; i < n; i++) {
    const mode = Math.floor(stream.uniform((n + modes) * d + i) ** 2 * modes);
    for (let j = 0; j < d; j++) row[j] = (values[i * d + j]! + 0.25 * centres[mode * d + j]!) / Math.sqrt(1 + j / 8);
    hadamard(row);
    values.set(row, i * d);
  }
  return { values, n, d };
}

/** The Walsh-Hadamard transform, a rotation of (d,), d a power of two: spreads each direction over all coordinates. */
function hadamard(row: Float64Array): void {
  const d = row.length;
  for (let half = 1; half < d; half *= 2)
    for (let block = 0; block < d; block += 2 * half)
      for (let j = block; j < block + half; j++) {
        const a = row[j]!;
        const b = row[j + half]!;
        row[j] = (a + b) * Math.SQRT1_2;
        row[j + half] = (a - b) * Math.SQRT1_2;
      }
}
