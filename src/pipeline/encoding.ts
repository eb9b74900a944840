import { type JsonObject } from '../base/json.ts';
import { byCodeUnit } from '../base/order.ts';
import { type ArtifactManifest, type TaskSpec } from '../engine/ports.ts';
import { readEntries, readSources, type DatasetChunk } from './dataset/version.ts';
import { type DatasetEntry, type ObjectStore, type PixelLayout } from './ports.ts';
import { type PriorDescription } from './prior/description.ts';
import { taskOf, type WorkContext } from './stage.ts';

/* What encode tasks are, whichever kind of run plans them: equal images give the same artifact. */

export const ENCODE = { name: 'encode', version: 1 } as const;

/** Some images of a chunk, by their places in it. A type, so that it is a JsonObject. */
export type PickedImages = { chunk: DatasetChunk; rows: number[] };

export interface EncodeLocators {
  /** Whose images all are encoded, or those that were picked. */
  chunk?: DatasetChunk;
  picked?: PickedImages[];
  className: string;
  datasetVersion: string;
  prior: string;
  corruptImages: number;
}

/** What an encoder is told of images beside their bytes: the prior, and the layout of raw pixels. */
export interface EncodedAs {
  prior: PriorDescription;
  pixels: PixelLayout | undefined;
}

/** What decides the latents of images, by their digest over class name and images. */
export function latentsIdentity({ prior, pixels }: EncodedAs, images: string): JsonObject {
  return {
    encoder: prior.files['vae_encoder/model.onnx']!.sha256,
    scaling: [prior.scalingFactor, prior.shiftFactor],
    image: { ...prior.image },
    images,
    ...(pixels ? { pixels: { ...pixels } } : {}),
  };
}

/** The digests of images are of stored bytes; of raw pixels these say less than the picture without their layout. */
export async function pixelsOf(
  store: ObjectStore,
  projectId: string,
  version: ArtifactManifest,
): Promise<PixelLayout | undefined> {
  return (await readSources(store, projectId, version))[0]?.pixels;
}

/** A task that encodes a chunk of images, or those of several chunks that were picked. */
export function encodeTask(of: {
  index: number;
  title: string;
  /** Of the class. */
  chunk: Pick<DatasetChunk, 'className' | 'label'>;
  picked?: PickedImages[];
  /** Over class name and images, as `chunkDigest` has it. */
  images: string;
  count: number;
  described: EncodedAs;
  inputs: Readonly<Record<string, string>>;
  corruptImages: number;
}): TaskSpec {
  const [datasetVersion, prior] = [of.inputs['datasetVersion']!, of.inputs['prior']!];
  const { className, label } = of.chunk;
  return taskOf(ENCODE, {
    index: of.index,
    title: of.title,
    labels: { class: className },
    items: of.count,
    options: latentsIdentity(of.described, of.images),
    locators: {
      ...(of.picked ? { picked: of.picked } : { chunk: of.chunk as DatasetChunk }),
      ...{ className, label, datasetVersion, prior, corruptImages: of.corruptImages },
    },
    identity: [],
    inputs: [datasetVersion, prior],
  });
}

/** In the order of their digests, as the entries of a chunk are. */
export async function entriesOf(
  { chunk, picked }: EncodeLocators,
  version: ArtifactManifest,
  { store, projectId }: Pick<WorkContext, 'store' | 'projectId'>,
): Promise<DatasetEntry[]> {
  if (chunk) return await readEntries(store, projectId, version, chunk);
  const entries: DatasetEntry[] = [];
  for (const { chunk: from, rows } of picked!) {
    const all = await readEntries(store, projectId, version, from);
    entries.push(...rows.map((row) => all[row]!));
  }
  return entries.sort((a, b) => byCodeUnit(a.sha256, b.sha256));
}
