import { writeSafetensors } from '../../src/pipeline/formats/safetensors.ts';
import { createPublications, putBlob } from '../../src/pipeline/artifacts.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';
import { manifestOf, taskOf } from './tasks.ts';

export interface Sample {
  /** sha256 of the stored image, hex. */
  digest: string;
  /** 4 numbers, of shape (1, 2, 2). */
  latent: readonly number[];
}

/** Publishes latents as encode tasks do, an artifact for each part, the samples of each in the order of their digests. */
export async function publishLatents(store: ObjectStore, parts: readonly (readonly Sample[])[]): Promise<string[]> {
  const publications = createPublications(store);
  const ids: string[] = [];
  for (const [index, part] of parts.entries()) {
    const samples = [...part].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const bytes = writeSafetensors({
      latents: {
        type: 'float32',
        data: Float32Array.from(samples.flatMap(({ latent }) => latent)),
        shape: [samples.length, 1, 2, 2],
      },
      digests: {
        type: 'uint8',
        data: Uint8Array.from(samples.flatMap(({ digest }) => [...Buffer.from(digest, 'hex')])),
        shape: [samples.length, 32],
      },
    });
    const blob = await putBlob(store, 'p', bytes, 'application/vnd.safetensors');
    const options = { of: blob.sha256, index };
    const manifest = manifestOf(taskOf({ stage: 'encode', options }));
    ids.push((await publications.publish('p', { ...manifest, blobs: { 'latents.safetensors': blob } })).id);
  }
  return ids;
}
