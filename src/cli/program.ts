import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import { invalid } from '../base/errors.ts';
import { showCell } from './cell.ts';
import { addAliases } from './aliases.ts';
import { addCosts } from './costs.ts';
import { distill, retry } from './distill.ts';
import { addDrift } from './drift.ts';
import { addLineage } from './lineage.ts';
import { atLeastOne, between, names, onService, whole, wholeNumber, withUrl } from './options.ts';
import { createProgress } from './progress.ts';
import { addRetention } from './retention-commands.ts';
import { cancelRun, listRuns, showRun, showTasks } from './runs.ts';
import { PARALLEL, upload } from './upload.ts';
import { addTriggers } from './trigger-commands.ts';
import { addWebhooks } from './webhook-commands.ts';

/** What the commands need of the process that they run in; the root hands it over. */
export interface Host {
  version: string;
  /** Where the priors and data that we ship lie. */
  priorsDir: string;
  /** Runs the service until it is told to stop. */
  serve(options: { host?: string; port?: number }): Promise<void>;
  /** Brings DATABASE_URL up to date. @returns the names of the migrations that were applied */
  migrate(): Promise<string[]>;
  /** A running service of this state directory, or one of our own for as long as `work` takes. */
  withService(work: (url: string) => Promise<void>): Promise<void>;
  /** Checks a bundle and says what it found. @throws PRIOR_INVALID */
  validatePrior(directory: string): Promise<string>;
  /** Aborts at the first interrupt. */
  interrupt: AbortSignal;
}

export function createProgram(host: Host): Command {
  const program = new Command('pushforward')
    .description('Distils a large labelled image dataset into a small weighted synthetic one.')
    .version(host.version)
    .showHelpAfterError('(pushforward --help lists the commands)');

  program
    .command('serve')
    .description('Run the service: GraphQL at /graphql, an explorer at /graphiql, metrics at /metrics.')
    .option('--host <address>', 'address to listen on (HOST)')
    .option('--port <number>', 'port to listen on, 0 for any (PORT, default 4000)', wholeNumber)
    .action((options: { host?: string; port?: number }) => host.serve(options));

  program
    .command('migrate')
    .description('Bring the database at DATABASE_URL up to this release, for services with PUSHFORWARD_MIGRATE=off.')
    .action(async () => {
      const applied = await host.migrate();
      console.log(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`);
    });

  withRecipe(
    program
      .command('quickstart')
      .description('The main job, end to end, on the letters that we ship.')
      .option('--out <folder>', 'where the products go', 'out/quickstart'),
  ).action((options: RecipeOptions) =>
    onService(host, options.url, (client) =>
      distill(
        client,
        {
          path: join(host.priorsDir, 'glyphs', 'dataset', 'train.parquet'),
          sendFirst: false,
          name: 'glyphs',
          priorPath: join(host.priorsDir, 'glyphs'),
          classes: options.classes ?? null,
          split: null,
          recipe: recipeOf(options),
          out: options.out,
          estimate: options.estimate ?? false,
        },
        host.interrupt,
      ),
    ),
  );

  withRecipe(
    program
      .command('distill')
      .description(
        'Distil a dataset: class folders (also in a tar or tar.gz), Hugging Face Parquet, WebDataset, CIFAR binary or IDX.',
      )
      .argument('<dataset>', 'path of the dataset, s3://bucket/prefix, or upload:ID')
      .requiredOption('--prior <name|folder>', 'a prior that we ship (glyphs, cifar10), or the folder of a bundle')
      .option('--split <name>', 'the split to take where there are several, such as train or test')
      .option('--name <name>', 'name of the dataset; default: from its path and split')
      .option('--upload', 'send the dataset to the service first: for one on another machine')
      .option('--out <folder>', 'where the products go', 'out/distill'),
  ).action(
    (dataset: string, options: RecipeOptions & { prior: string; name?: string; split?: string; upload?: boolean }) =>
      onService(host, options.url, (client) =>
        distill(
          client,
          {
            path: dataset,
            sendFirst: options.upload ?? false,
            name: options.name ?? datasetName(dataset, options.split),
            priorPath: priorPath(host.priorsDir, options.prior),
            classes: options.classes ?? null,
            split: options.split ?? null,
            recipe: recipeOf(options),
            out: options.out,
            estimate: options.estimate ?? false,
          },
          host.interrupt,
        ),
      ),
  );

  withUrl(
    program
      .command('upload')
      .description(
        'Send files to the store of the service and print upload:ID, which `distill` and importDataset take as a path. One that no import uses is deleted after some days.',
      )
      .argument('<path...>', 'files and folders; a folder is sent with the paths of its files below it')
      .option('--resume <upload>', 'go on with an upload of the same files: what is there is not sent again')
      .option('--parallel <number>', 'requests at once, with 16 MiB of memory each', atLeastOne, PARALLEL),
  ).action((paths: string[], options: { url?: string; resume?: string; parallel: number }) =>
    onService(host, options.url, async (client) => {
      const progress = createProgress();
      try {
        const { resume, parallel } = options;
        const path = await upload(client, { paths, resume, parallel, url: options.url }, progress, host.interrupt);
        progress.end();
        console.log(path);
      } finally {
        progress.end();
      }
    }),
  );

  const prior = program.command('prior').description('Work with prior bundles.');
  prior
    .command('validate')
    .description('Check a bundle: digests, shapes, and one tiny batch through every model.')
    .argument('<name|folder>')
    .action(async (prior: string) => console.log(await host.validatePrior(priorPath(host.priorsDir, prior))));

  const runs = program.command('runs').description('See, stop and repeat runs.');
  withUrl(runs.command('list').description('The newest runs.')).action((options: { url?: string }) =>
    onService(host, options.url, listRuns),
  );
  withUrl(runs.command('show').description('Stages and figures of one run.').argument('<id>')).action(
    (id: string, options: { url?: string }) => onService(host, options.url, (client) => showRun(client, id)),
  );
  withUrl(runs.command('cancel').description('Stop a run and let go of what it holds.').argument('<id>')).action(
    (id: string, options: { url?: string }) => onService(host, options.url, (client) => cancelRun(client, id)),
  );
  withUrl(
    runs
      .command('tasks')
      .description('The tasks of a run: which were carried out and why, and what failed.')
      .argument('<id>'),
  ).action((id: string, options: { url?: string }) => onService(host, options.url, (client) => showTasks(client, id)));
  withUrl(
    runs
      .command('retry')
      .description('Carry a run that has ended out again: what it published is reused.')
      .argument('<id>')
      .option('--from <stage>', 'make what this stage and those behind it made again')
      .option('--out <folder>', 'download the products to this folder'),
  ).action((id: string, options: { url?: string; from?: string; out?: string }) =>
    onService(host, options.url, (client) =>
      retry(client, { runId: id, fromStage: options.from ?? null, out: options.out ?? null }, host.interrupt),
    ),
  );
  withUrl(
    runs
      .command('cell')
      .description('The real images behind a synthetic one: the members of its cell, nearest first.')
      .argument('<id>')
      .requiredOption('--class <name>', 'its class')
      .requiredOption('--point <number>', 'its number in the class: the column `point` of the dataset', wholeNumber)
      .option('--first <number>', 'images at most', whole(1, 100), 20),
  ).action((id: string, options: { url?: string; class: string; point: number; first: number }) =>
    onService(host, options.url, (client) => showCell(client, id, { ...options, className: options.class })),
  );
  addDrift(program, host);
  addAliases(program, host);
  addTriggers(program, host);
  addWebhooks(program, host);
  addCosts(program, runs, host);
  addLineage(program, host);
  addRetention(program, host);
  return program;
}

interface RecipeOptions {
  url?: string;
  out: string;
  imagesPerClass?: number;
  total?: number;
  survey?: string;
  quantizer?: string;
  classes?: string[];
  seed?: number;
  holdout?: number;
  restarts?: number;
  strength?: number;
  steps?: number;
  guidance?: number;
  temperature?: number;
  weightExponent?: number;
  decodeFrom?: string;
  refitWeights?: boolean;
  compare: boolean;
  tolerateCorrupt?: number;
  provider?: string;
  batch?: number;
  estimate?: boolean;
}

function withRecipe(command: Command): Command {
  return withUrl(command)
    .option('-k, --images-per-class <number>', 'points per class; default 10', atLeastOne)
    .addOption(
      new Option('--total <number>', 'points in all instead, more for classes that gain more from them')
        .argParser(atLeastOne)
        .conflicts('imagesPerClass'),
    )
    .option('--classes <names>', 'comma-separated classes to take; default: all', names)
    .option('--seed <number>', 'seed of every random number; default 0', wholeNumber)
    .option('--holdout <fraction>', 'of each class that the quantizer never sees; default 0.1', between(0, 0.9))
    .option('--restarts <number>', 'starts of the lloyd quantizer, the best is kept; default 10', whole(1, 1000))
    .addOption(
      new Option('--quantizer <name>', 'clvq for classes that do not fit in memory; default lloyd').choices([
        'lloyd',
        'clvq',
      ]),
    )
    .addOption(
      new Option('--survey <mode>', 'whether to measure what more points would bring; default auto').choices([
        'auto',
        'on',
        'off',
      ]),
    )
    .option('--strength <fraction>', 'of the noise schedule that a point is pushed through; default 0.7', between(0, 1))
    .option('--steps <number>', 'of the whole noise schedule; default 50', whole(1, 1000))
    .option('--guidance <scale>', 'classifier-free guidance; default 4', between(0, 100))
    .option('--temperature <number>', 'of the soft labels; default 1', between(0.01, 1000))
    .option('--weight-exponent <a>', 'training weights go with mass^a, 0 to 1; default 1', between(0, 1))
    .option('--refit-weights', 'weights refitted on the decoded images')
    .option('--no-compare', 'leave out the balanced quantizer, D4M and the decoded images, encoded again')
    .option('--tolerate-corrupt <number>', 'corrupt images per class that may be left out; default 0', wholeNumber)
    .option('--estimate', 'only tell what it would take and cost: the dataset is imported, no run is launched')
    .option('--batch <number>', 'images per model call; default 128', whole(1, 4096))
    .addOption(
      new Option('--decode-from <point>', 'what is decoded of a cell; default centroid').choices([
        'centroid',
        'medoid',
      ]),
    )
    .addOption(
      new Option('--provider <name>', 'where models run; default cpu').choices(['auto', 'cpu', 'webgpu', 'cuda']),
    );
}

function recipeOf(options: RecipeOptions): Record<string, unknown> {
  return {
    imagesPerClass: options.total === undefined ? (options.imagesPerClass ?? 10) : undefined,
    totalImages: options.total,
    seed: options.seed,
    holdout: options.holdout,
    survey: { mode: options.survey?.toUpperCase() },
    quantizer: { algorithm: options.quantizer?.toUpperCase(), restarts: options.restarts },
    decoder: {
      start: options.decodeFrom?.toUpperCase(),
      strength: options.strength,
      steps: options.steps,
      guidance: options.guidance,
    },
    labels: { temperature: options.temperature },
    weights: { exponent: options.weightExponent, refit: options.refitWeights },
    compare: { mode: options.compare ? undefined : 'OFF' },
    tolerances: { corruptImages: options.tolerateCorrupt },
    execution: { provider: options.provider?.toUpperCase(), batch: options.batch },
  };
}

/** A word names a prior that we ship, anything else a folder. */
function priorPath(priorsDir: string, prior: string): string {
  if (!/^[\w-]+$/.test(prior) || existsSync(prior)) return prior;
  const shipped = readdirSync(priorsDir).filter((name) => existsSync(join(priorsDir, name, 'prior.json')));
  if (shipped.includes(prior)) return join(priorsDir, prior);
  throw invalid(
    `expected a prior to be ${shipped.join(', ')} or the folder of a bundle, got ${prior}: choose one of them, or write ./${prior}`,
  );
}

/** `cifar10/train.tar.gz` is `train`, split test of `cifar10` is `cifar10-test`. */
function datasetName(path: string, split?: string): string {
  const name = basename(path).replace(/\.(tar\.gz|tgz|tar|parquet)$/, '');
  return split === undefined ? name : `${name}-${split}`;
}
