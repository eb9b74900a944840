import { type JsonObject } from '../../base/json.ts';
import { type BlobReference, type Published } from '../../engine/ports.ts';
import { putBlob, readManifest } from '../artifacts.ts';
import { curveOf } from '../curve.ts';
import { classBalance } from '../dataset/balance.ts';
import { datasetContent, type DatasetVersionContent } from '../dataset/version.ts';
import { type ArchiveFile } from '../ports.ts';
import { contactSheet } from '../report/contact-sheet.ts';
import { datasetCard, type MeanDistances } from '../report/card.ts';
import { imageFolder } from '../report/image-folder.ts';
import { type Made } from '../report/made.ts';
import { lineageOf } from '../report/lineage.ts';
import { datasetManifest } from '../report/manifest.ts';
import { comparedRows, type ClassRow, type Comparison, type ReportFigures, type StageRow } from '../report/figures.ts';
import { mean, sum } from '../report/html.ts';
import { reportPage } from '../report/page.ts';
import { describePoints } from '../report/points.ts';
import { type ClassArtifacts, readSyntheticClass, type SyntheticClass, weightsOf } from '../report/synthetic.ts';
import { timelineOf } from '../report/timeline.ts';
import { webDataset } from '../report/webdataset.ts';
import { quantizerOptions } from '../quantizers/quantized.ts';
import { describedPrior } from '../prior/described.ts';
import { type Recipe } from '../recipe.ts';
import { taskOf, type PlanContext, type Produced, type Stage, type WorkContext } from '../stage.ts';

/**
 * Two tasks. `dataset` puts the synthetic dataset together: Parquet, image folder, WebDataset, contact sheet, card,
 * manifest; its bytes follow from the recipe alone. `page` is the report for people, which also tells seconds and cost.
 */
export const report: Stage = {
  name: 'report',
  version: 6,

  async plan(context) {
    const classes = classArtifacts(context.published, context.recipe.weights.refit);
    const { store, projectId, inputs } = context;
    const version = datasetContent(await readManifest(store, projectId, inputs['datasetVersion']!));
    const made = await provenance(context, version);
    const identity = classes.flatMap((entry) => [
      entry.codebook,
      entry.images,
      ...(entry.softLabels ? [entry.softLabels] : []),
      ...(entry.refit ? [entry.refit] : []),
    ]);
    const idsOf = (stage: string) => (context.published.get(stage) ?? []).map(({ manifest }) => manifest.id);
    // the page shows curves and comparisons, which its options have already
    const shown = [...new Set([...identity, ...idsOf('survey'), ...idsOf('compare')])];
    const points = sum(context.published.get('decode') ?? [], (entry) => entry.manifest.metrics['images']!);
    const dataset: JsonObject = {
      task: 'dataset',
      classes: classes as unknown as JsonObject[],
      weights: context.recipe.weights,
      distances: meanDistances(classRows(context.published)),
      made,
    };
    const page: JsonObject = {
      ...dataset,
      task: 'page',
      figures: figures(context, made, { dataset: identity, page: shown }) as unknown as JsonObject,
    };
    const tasks = [dataset, page].map((options, index) =>
      taskOf(report, {
        index,
        title: options['task'] as string,
        // Both show the same images; they are counted once.
        items: index === 0 ? points : 0,
        options,
        identity,
        inputs: index === 0 ? identity : shown,
      }),
    );
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as ReportOptions;
    const classes: SyntheticClass[] = [];
    for (const of of options.classes) {
      classes.push(await readSyntheticClass(of, { ...context, codec: context.images.codec }));
      context.onProgress(sum(classes, (entry) => entry.pngs.length));
    }
    const sheet = await drawSheet(options, classes, context);
    return options.task === 'dataset'
      ? datasetArtifact(options, classes, sheet, context)
      : pageArtifact(options, classes, sheet);
  },
};

interface ReportOptions {
  task: 'dataset' | 'page';
  classes: ClassArtifacts[];
  weights: Recipe['weights'];
  distances: MeanDistances;
  made: Made;
  figures?: ReportFigures;
}

async function provenance(
  { store, projectId, inputs, recipe, published }: PlanContext,
  { digest, images, bytes, classes, duplicates }: DatasetVersionContent,
): Promise<JsonObject> {
  const prior = await describedPrior(store, projectId, inputs['prior']!);
  const leftOut = sum(published.get('encode') ?? [], (entry) => entry.manifest.metrics['skipped']!);
  const facts = { digest, images, bytes, balance: classBalance(classes), duplicates };
  const made: Made = {
    datasetVersion: leftOut > 0 ? { ...facts, leftOut } : facts,
    prior: { id: inputs['prior']!, name: prior.name, version: prior.version, license: prior.license },
    pointsPerClass: pointsOf(published),
    recipe: {
      imagesPerClass: recipe.imagesPerClass,
      totalImages: recipe.totalImages,
      seed: recipe.seed,
      holdout: recipe.holdout,
      quantizer: quantizerOptions(recipe.quantizer),
      decoder: recipe.decoder,
      labels: recipe.labels,
    },
  };
  return made as unknown as JsonObject;
}

function classArtifacts(published: PlanContext['published'], refit: boolean): ClassArtifacts[] {
  const labels = published.get('label') ?? [];
  const images = published.get('decode') ?? [];
  return (published.get('quantize') ?? []).map((codebook, index) => ({
    className: codebook.manifest.content['className'] as string,
    codebook: codebook.manifest.id,
    images: images[index]!.manifest.id,
    softLabels: labels[index]?.manifest.id ?? null,
    refit: refit ? published.get('compare')![index]!.manifest.id : null,
  }));
}

function figures(
  { published, recipe, inputs }: PlanContext,
  made: JsonObject,
  outputs: Record<string, string[]>,
): ReportFigures {
  const { datasetVersion, prior } = made as unknown as Made;
  const codebooks = published.get('quantize') ?? [];
  return {
    title: `${codebooks.length} classes, ${describePoints(pointsOf(published), 'images')}`,
    datasetVersion,
    prior,
    classes: classRows(published),
    stages: [...published].filter(([, tasks]) => tasks.length > 0).map(([name, tasks]) => stageRow(name, tasks)),
    timeline: timelineOf(published),
    lineage: lineageOf(inputs, published, outputs),
    images: sum(published.get('decode') ?? [], (entry) => entry.manifest.metrics['images']!),
    weights: recipe.weights,
    recipe: recipe as unknown as JsonObject,
  };
}

function classRows(published: PlanContext['published']): ClassRow[] {
  return (published.get('quantize') ?? []).map(({ manifest: { metrics, content } }): ClassRow => {
    const name = content['className'] as string;
    // a stage may have left classes out
    const of = (stage: string) => published.get(stage)?.find(({ task }) => task.labels['class'] === name)?.manifest;
    const survey = of('survey');
    const surveyed = (metric: string) => survey?.metrics[metric] ?? null;
    return {
      name,
      n: metrics['n']!,
      k: metrics['k']!,
      w2Weighted: metrics['w2Weighted']!,
      w2Uniform: metrics['w2Uniform']!,
      reduction: metrics['reduction']!,
      ess: metrics['ess']!,
      heldoutN: metrics['heldoutN']!,
      heldoutW2: metrics['heldoutW2'] ?? null,
      restartSpread: metrics['restartSpread'] ?? null,
      intrinsicDimension: surveyed('intrinsicDimension'),
      intrinsicDimensionLow: surveyed('intrinsicDimensionLow'),
      intrinsicDimensionHigh: surveyed('intrinsicDimensionHigh'),
      slope: surveyed('quantizationRate'),
      slopeLow: surveyed('quantizationRateLow'),
      slopeHigh: surveyed('quantizationRateHigh'),
      curve: survey ? curveOf(survey) : null,
      teacherAgreement: of('label')?.metrics['teacherAgreement'] ?? null,
      ...(of('compare')?.metrics as Comparison | undefined),
    };
  });
}

/** Points of each class, in order. */
function pointsOf(published: PlanContext['published']): number[] {
  return (published.get('quantize') ?? []).map((codebook) => codebook.manifest.content['k'] as number);
}

function meanDistances(rows: readonly ClassRow[]): MeanDistances {
  const compared = comparedRows(rows);
  return {
    w2Weighted: mean(rows, (row) => row.w2Weighted),
    reduction: mean(rows, (row) => row.reduction),
    reductionBalanced: compared && mean(compared, (row) => row.reductionBalanced),
    reductionD4m: compared && mean(compared, (row) => row.reductionD4m),
  };
}

function stageRow(name: string, tasks: readonly Published[]): StageRow {
  return {
    name,
    artifacts: tasks.length,
    items: sum(tasks, (task) => task.task.items),
    seconds: sum(tasks, (task) => task.usage.allocatedSeconds),
    costUsd: sum(tasks, (task) => task.costUsd),
  };
}

async function drawSheet(options: ReportOptions, classes: readonly SyntheticClass[], { images }: WorkContext) {
  const { datasetVersion, prior } = options.made;
  const points = sum(classes, (entry) => entry.pngs.length);
  const title = `${points} synthetic images for ${datasetVersion.images.toLocaleString('en-US')} real ones, prior ${prior.name}`;
  const layout = contactSheet(
    title,
    classes.map((entry) => ({
      name: entry.className,
      points: entry.pngs.map((png, i) => ({ png, weight: entry.masses[i]! })),
    })),
    images.text,
  );
  return images.codec.renderSvg(layout.svg, 2 * layout.width);
}

async function datasetArtifact(
  options: ReportOptions,
  classes: readonly SyntheticClass[],
  sheet: Uint8Array,
  { images, store, projectId }: WorkContext,
): Promise<Produced> {
  const weights = weightsOf(classes, options.weights);
  const names = classes.map((entry) => entry.className);
  const rows = classes.flatMap((entry, label) =>
    entry.pngs.map((imagePng, point) => ({
      imagePng,
      path: `${entry.className}/${String(point).padStart(5, '0')}.png`,
      label,
      weight: weights[label]![point]!,
      softLabel: entry.softLabels?.[point] ?? null,
      point,
      cellCount: entry.counts[point]!,
    })),
  );
  const metadata = {
    'pushforward.made': JSON.stringify(options.made),
    'pushforward.weights': JSON.stringify(options.weights),
  };
  const folder = imageFolder(names, rows);
  const shards = webDataset(names, rows);
  const card = datasetCard({
    names,
    rows: rows.length,
    made: options.made,
    weights: options.weights,
    distances: options.distances,
    soft: classes.every((entry) => entry.softLabels !== null),
    shards: Object.keys(shards).length,
    renamed: folder.renamed,
  });
  // One file after another: each is as large as all images together.
  const files: Record<string, BlobReference> = {};
  const keep = async (name: string, body: Uint8Array | AsyncIterable<Uint8Array>, mediaType: string) => {
    files[name] = await putBlob(store, projectId, body, mediaType);
  };
  const keepTar = (name: string, members: readonly ArchiveFile[]) =>
    keep(name, images.archives.tar(members), 'application/x-tar');
  await keep(
    'train.parquet',
    await images.tables.writeSyntheticParquet({ classes: names, rows, metadata }),
    'application/vnd.apache.parquet',
  );
  await keepTar('imagefolder.tar', folder.files);
  for (const [name, members] of Object.entries(shards)) await keepTar(name, members);
  await keep('contact-sheet.png', sheet, 'image/png');
  await keep('README.md', new TextEncoder().encode(card), 'text/markdown');
  const manifest = datasetManifest({
    files,
    classes: names,
    images: rows.length,
    made: options.made,
    weights: options.weights,
    renamed: folder.renamed,
  });
  return {
    kind: 'syntheticDataset',
    blobs: {
      ...files,
      'manifest.json': { bytes: new TextEncoder().encode(manifest), mediaType: 'application/json' },
    },
    content: { classes: names, images: rows.length, weights: options.weights },
    metrics: { images: rows.length },
  };
}

function pageArtifact(
  options: ReportOptions,
  classes: readonly SyntheticClass[],
  contactSheetPng: Uint8Array,
): Produced {
  const html = reportPage(options.figures!, { contactSheetPng, masses: classes.map(({ masses }) => masses) });
  return {
    kind: 'report',
    blobs: { 'report.html': { bytes: new TextEncoder().encode(html), mediaType: 'text/html' } },
    content: { title: options.figures!.title },
    metrics: {},
  };
}
