import { sha256, type JsonObject } from '../../base/json.ts';
import { type ArtifactManifest, type BlobReference, type Publications } from '../../engine/ports.ts';
import { artifactId, putBlob } from '../artifacts.ts';
import { type ObjectStore } from '../ports.ts';
import { type Bundle } from './bundle.ts';

export interface PublishPriorOptions {
  bundle: Bundle;
  store: ObjectStore;
  projectId: string;
  publications: Publications;
}

const STAGE = { stage: 'prior', stageVersion: 1 };

/**
 * Stores a bundle as an artifact of kind `prior`, a blob per file. The same files give the same id.
 * The manifest's content holds the description, `{ description: PriorDescription }`.
 */
export async function publishPrior({
  bundle,
  store,
  projectId,
  publications,
}: PublishPriorOptions): Promise<ArtifactManifest> {
  const paths = ['prior.json', ...Object.keys(bundle.description.files)].sort();
  // prior.json holds the digests of all the others.
  const options: JsonObject = { priorJson: sha256(await bundle.read('prior.json')) };
  const id = artifactId({ ...STAGE, options, inputs: [] });
  const published = await publications.find(projectId, id);
  if (published) return published;
  const blobs: Record<string, BlobReference> = {};
  for (const path of paths) {
    const mediaType = path.endsWith('.json') ? 'application/json' : 'application/octet-stream';
    blobs[path] = await putBlob(store, projectId, await bundle.read(path), mediaType);
  }
  const description = JSON.parse(JSON.stringify(bundle.description)) as JsonObject;
  return await publications.publish(projectId, {
    formatVersion: 1,
    id,
    ...STAGE,
    kind: 'prior',
    options,
    inputs: [],
    blobs,
    content: { description },
    metrics: {},
    produced: {},
  });
}
