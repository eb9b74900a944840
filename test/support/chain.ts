import { createArchiveWriter } from '../../src/adapters/images/archive.ts';
import { createImageCodec } from '../../src/adapters/images/codec.ts';
import { createTableWriter } from '../../src/adapters/images/parquet.ts';
import { createImageReader } from '../../src/adapters/images/reader.ts';
import { createSourceScanner } from '../../src/adapters/images/scan.ts';
import { createTextOutlines } from '../../src/adapters/images/text.ts';
import { createModelRuntime } from '../../src/adapters/runtime/index.ts';
import { type ArtifactManifest, type Published } from '../../src/engine/ports.ts';
import { createPublications } from '../../src/pipeline/artifacts.ts';
import { importDataset } from '../../src/pipeline/dataset/import.ts';
import { createPlanner } from '../../src/pipeline/planner.ts';
import { type BundleFiles, type ObjectStore } from '../../src/pipeline/ports.ts';
import { readBundle } from '../../src/pipeline/prior/bundle.ts';
import { openPrior, type Prior } from '../../src/pipeline/prior/model.ts';
import { publishPrior } from '../../src/pipeline/prior/register.ts';
import { parseAnyRecipe } from '../../src/pipeline/drift/recipe.ts';
import { asJson } from '../../src/pipeline/recipe.ts';
import { carryOut } from '../../src/pipeline/work.ts';
import { withFolder } from './image-sources.ts';

/** Everything a run does, stage after stage in this process: no engine, no database, no workers. */
export interface Chain {
  store: ObjectStore;
  importPath(path: string): Promise<ArtifactManifest>;
  publish(bundle: BundleFiles): Promise<ArtifactManifest>;
  /** Stage name to what its tasks published; stages that were skipped are absent. */
  run(of: {
    version: ArtifactManifest;
    prior: ArtifactManifest;
    recipe: Record<string, unknown>;
    /** Of a drift run: the artifact of the codebooks. */
    reference?: string;
    batch?: number;
    threads?: number;
    /** Rewrites the order in which tasks are carried out. */
    order?: <T>(tasks: T[]) => T[];
    /** Stands between the stages and the prior. */
    tamper?: (prior: Prior) => Prior;
    /** Told of the progress of every task; aborts all of them. */
    onProgress?: (stage: string, itemsDone: number) => void;
    signal?: AbortSignal;
  }): Promise<Map<string, Published[]>>;
}

export function createChain(store: ObjectStore, projectId = 'p'): Chain {
  const publications = createPublications(store);
  const planner = createPlanner(store);
  return {
    store,

    importPath: (path) =>
      withFolder(async (tempDir) => {
        const scanner = createSourceScanner();
        return (await importDataset({ scanner, store, projectId, path, tempDir })).manifest;
      }),

    publish: async (files) => publishPrior({ bundle: await readBundle(files), store, projectId, publications }),

    async run({
      version,
      prior,
      recipe,
      reference,
      batch = 4,
      threads = 1,
      order = (tasks) => tasks,
      tamper = (opened) => opened,
      onProgress = () => {},
      signal = new AbortController().signal,
    }) {
      const runtime = await createModelRuntime({ provider: 'cpu', threads });
      const opened = tamper(await openPrior({ store, projectId, manifest: prior, runtime }));
      const images = {
        reader: createImageReader(store),
        codec: createImageCodec(),
        tables: createTableWriter(),
        archives: createArchiveWriter(),
        text: createTextOutlines(),
      };
      const published = new Map<string, Published[]>();
      const parsed = asJson(
        parseAnyRecipe({ datasetVersionId: 'v', ...(reference === undefined && { priorId: 'p' }), ...recipe }),
      );
      try {
        for (const stage of planner.stages(parsed)) {
          const inputs = { datasetVersion: version.id, prior: prior.id, ...(reference && { reference }) };
          const request = { projectId, runId: 'r', recipe: parsed, inputs, stage, published, signal };
          const plan = await planner.plan(request);
          if (plan.kind === 'skip') continue;
          const done: Published[] = new Array(plan.tasks.length);
          for (const task of order(plan.tasks)) {
            const context = {
              projectId,
              store,
              runtime,
              images,
              prior: async () => opened,
              batch,
              signal,
              onProgress: (done: number) => onProgress(stage, done),
            };
            const manifest = await carryOut(task, context, publications);
            const usage = { allocatedSeconds: 2, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
            done[task.index] = { task, manifest, usage, costUsd: 0.001, recordedAt: new Date(0) };
          }
          published.set(stage, done);
        }
      } finally {
        await runtime.close();
      }
      return published;
    },
  };
}
