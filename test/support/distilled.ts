import { vi } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { type Principal } from '../../src/control/identity.ts';
import { type Published } from '../../src/engine/ports.ts';
import { datasetContent } from '../../src/pipeline/dataset/version.ts';
import { anyPrior, carriedOut, endedStage, LOCAL, PRIOR, type World } from '../control/world.ts';
import { createChain } from './chain.ts';
import { pictures, withFolder, writeFolder } from './image-sources.ts';
import { tinyPriorBundle } from './tiny-prior.ts';

export interface Distilled {
  versionId: string;
  runId: string;
  published: Map<string, Published[]>;
}

/** A run whose artifacts are those of the stages: images, latents and codebooks that can be read. */
export async function distilled(
  world: World,
  counts: Record<string, number>,
  { name = 'pictures', principal = LOCAL }: { name?: string; principal?: Principal } = {},
): Promise<Distilled> {
  return await withFolder(async (folder) => {
    await writeFolder(folder, await pictures(counts));
    const chain = createChain(world.store, principal.projectId);
    const manifest = await chain.importPath(folder);
    const { digest, images, classes } = datasetContent(manifest);
    vi.spyOn(world.importer, 'importDataset').mockResolvedValueOnce({
      digest,
      images,
      newImages: null,
      classes,
      manifest,
    });
    const { version } = await world.control.importDataset(principal, {
      name,
      path: folder,
      idempotencyKey: newId('key'),
    });
    await world.control.importsIdle();

    const recipe = { imagesPerClass: 2, quantizer: { restarts: 1 }, compare: { mode: 'OFF' }, survey: { mode: 'OFF' } };
    const prior = await chain.publish(tinyPriorBundle());
    const published = await chain.run({ version: manifest, prior, recipe: { ...recipe, decoder: { steps: 2 } } });
    const priorId = (await anyPrior(world, PRIOR, principal)).id;
    const launch = { datasetVersionId: version.id, priorId, imagesPerClass: 2 };
    const { run } = await world.control.launchRun(principal, { recipe: launch, idempotencyKey: newId('key') });
    for (const stage of ['encode', 'quantize', 'decode', 'label', 'report']) {
      const tasks = published.get(stage) ?? [];
      const titles = tasks.map(({ task }) => task.title);
      await carriedOut(
        world,
        run.id,
        titles,
        tasks.map((one) => one.manifest),
      );
      if (stage === 'quantize') {
        const made = tasks.map((one) => one.manifest);
        await endedStage(world, run.id, stage, made);
      }
    }
    return { versionId: version.id, runId: run.id, published };
  });
}
