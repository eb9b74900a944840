import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { invalid, notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { followToEnd } from './follow.ts';
import { importDataset } from './import.ts';
import { between, names, onService, whole, wholeNumber, withUrl } from './options.ts';
import { createProgress } from './progress.ts';

/** `drift`: whether it is still the same data. */
export function addDrift(program: Command, host: Parameters<typeof onService>[0] & { interrupt: AbortSignal }): void {
  withUrl(
    program
      .command('drift')
      .description('Tell whether the new images of a dataset are like those that a run distilled.')
      .argument('[path]', 'images to import first, as the newest version of the dataset; default: the newest there is')
      .requiredOption('--dataset <name>', 'name of the dataset')
      .requiredOption('--against <name>', 'an alias such as production, a run, or the synthetic dataset that it made'),
  )
    .option('--dataset-version <id>', 'this version instead of the newest')
    .option('--split <name>', 'of the path, where there are several')
    .option('--classes <names>', 'comma-separated classes to look at; default: those that were distilled', names)
    .option('--samples <number>', 'new images of each class at most; default 500', whole(20, 4096))
    .option('--seed <number>', 'seed of the sample; default 0', wholeNumber)
    .option('--alpha <probability>', 'of an alarm where nothing has changed; default 0.05', alpha)
    .addOption(
      new Option('--correction <name>', 'for many classes; default holm').choices([
        'holm',
        'benjamini-hochberg',
        'none',
      ]),
    )
    .option('--min-distance <fraction>', 'of the mean distance that has to change; default 0', between(0, 1000))
    .option('--min-mass <fraction>', 'of the mass that has to move; default 0', between(0, 1))
    .option('--ignore-class-changes', 'classes that came or went are no alarm')
    .option('--out <folder>', 'where the report goes', 'out/drift')
    .action((path: string | undefined, { url, ...options }: DriftOptions & { url?: string }) =>
      onService(host, url, (client) => drift(client, path ?? null, options, host.interrupt)),
    );
}

/** @throws InvalidArgumentError */
function alpha(text: string): number {
  const value = between(0, 0.5)(text);
  if (value === 0) throw new InvalidArgumentError('expected a probability above 0, got 0');
  return value;
}

export interface DriftOptions {
  dataset: string;
  against: string;
  datasetVersion?: string;
  split?: string;
  classes?: string[];
  samples?: number;
  seed?: number;
  alpha?: number;
  correction?: string;
  minDistance?: number;
  minMass?: number;
  ignoreClassChanges?: boolean;
  out: string;
}

/** Imports what is to be imported, launches, follows and tells. @throws the failure of the import, of the launch or of the run */
export async function drift(
  client: ApiClient,
  path: string | null,
  options: DriftOptions,
  interrupt: AbortSignal,
): Promise<void> {
  if (path !== null && options.datasetVersion !== undefined) {
    throw invalid('expected a path or --dataset-version, got both: leave one out');
  }
  const progress = createProgress();
  try {
    const { dataset: name, split } = options;
    const datasetVersionId =
      options.datasetVersion ??
      (path === null
        ? await newestVersion(client, name)
        : await importDataset(client, { path, name, classes: null, split: split ?? null }, progress, interrupt));
    const { launchDrift } = await client.send<{ launchDrift: Refusal & { run: { id: string } } }>('LaunchDrift', {
      input: { recipe: recipeOf(options, datasetVersionId), idempotencyKey: randomUUID() },
    });
    refuse(launchDrift);
    await followToEnd(client, launchDrift.run.id, options.out, progress, interrupt);
  } finally {
    progress.end();
  }
}

function recipeOf(options: DriftOptions, datasetVersionId: string): Record<string, unknown> {
  return {
    datasetVersionId,
    against: options.against,
    classes: options.classes,
    samplesPerClass: options.samples,
    seed: options.seed,
    alpha: options.alpha,
    correction: options.correction?.toUpperCase().replace('-', '_'),
    minEffect: { distance: options.minDistance, mass: options.minMass },
    classChanges: options.ignoreClassChanges ? 'IGNORE' : undefined,
  };
}

/** The newest that is READY. */
async function newestVersion(client: ApiClient, name: string): Promise<string> {
  const { dataset } = await client.send<{
    dataset: { versions: { nodes: { id: string; state: string }[] } } | null;
  }>('Dataset', { name, first: 100 });
  if (!dataset) throw notFound('dataset', name);
  const ready = dataset.versions.nodes.find(({ state }) => state === 'READY');
  if (ready) return ready.id;
  throw invalid(`expected a version of ${name} that is READY, got none: name a path to import`);
}
