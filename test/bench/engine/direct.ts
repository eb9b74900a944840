/** A process that has loaded its modules and waits, then carries out the stages of one run, one after another, and ends. */
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { type ArtifactManifest } from '../../../src/engine/ports.ts';
import { createChain } from '../../support/chain.ts';

export interface DirectRun {
  /** Of the store. */
  root: string;
  version: ArtifactManifest;
  prior: ArtifactManifest;
  recipe: { imagesPerClass: number };
}

process.once('message', ({ root, ...run }: DirectRun) => {
  const store = createDirectoryStore({ root, signingSecret: 'secret', publicUrl: () => 'http://127.0.0.1:1' });
  void createChain(store)
    .run({ ...run, batch: 128, threads: 1 })
    .then(() => process.send!('done', () => process.disconnect()));
});
process.send!('ready');
