import { GLYPHS, importReady, launch, registerPrior, runOf } from './api-steps.ts';
import { type ServiceProcess } from './service-process.ts';

const CLASSES = ['A', 'B', 'C', 'D'];

/** A run of a few letters through every stage; its id. */
export async function launchGlyphs({ client }: ServiceProcess): Promise<string> {
  const version = await importReady(client, { name: 'glyphs', path: GLYPHS.dataset });
  const priorId = await registerPrior(client, GLYPHS.prior);
  const { run } = await launch(client, {
    datasetVersionId: version.id,
    priorId,
    imagesPerClass: 3,
    classes: CLASSES,
    decoder: { steps: 10 },
  });
  return run.id;
}

/** Digests of everything that follows from the recipe alone: all but the page, which tells seconds. */
export async function digests({ client }: ServiceProcess, runId: string): Promise<string[]> {
  const { outputs } = await runOf(client, runId);
  const dataset = outputs.find((artifact) => artifact.kind === 'syntheticDataset')!;
  return [dataset.id, ...dataset.blobs.map((blob) => `${blob.name} ${blob.sha256}`)];
}
