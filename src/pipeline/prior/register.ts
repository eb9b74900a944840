import { type ArtifactManifest, type Publications } from '../../engine/ports.ts';
import { type ObjectStore } from '../ports.ts';
import { type Bundle } from './bundle.ts';

export interface PublishPriorOptions {
  bundle: Bundle;
  store: ObjectStore;
  projectId: string;
  publications: Publications;
}

/** Stores a bundle as an artifact of kind `prior`, a blob per file. The same files give the same id. */
export async function publishPrior(_options: PublishPriorOptions): Promise<ArtifactManifest> {
  throw new Error('being written');
}
