import { describeMadeFrom, type Made } from './made.ts';
import { describePoints } from './points.ts';

export interface CardFacts {
  names: readonly string[];
  rows: number;
  made: Made;
  weights: { exponent: number; classShares: string; refit: boolean };
  /** How far the points are from the data they stand for: means over classes. */
  distances: MeanDistances;
  /** Whether the rows carry soft labels. */
  soft: boolean;
  /** How many WebDataset shards there are. */
  shards: number;
  /** Classes whose folder in the image folder has another name. */
  renamed: readonly { className: string; folder: string }[];
}

/** See `control/figures.ts`. A type, so that it is a JsonObject. */
export type MeanDistances = {
  w2Weighted: number;
  reduction: number;
  /** Null from here on where nothing was compared. */
  reductionBalanced: number | null;
  reductionD4m: number | null;
};

/** The dataset card: README.md beside the Parquet file, with the front matter that the Hugging Face hub reads. */
export function datasetCard({ names, rows, made, weights, distances, soft, shards, renamed }: CardFacts): string {
  return `---
license: other
task_categories: [image-classification]
tags: [dataset-distillation, synthetic]
size_categories: [${sizeCategory(rows)}]
configs:
- config_name: default
  data_files: train.parquet
---

# ${rows} weighted synthetic images for ${made.datasetVersion.images} real ones

Distilled by optimal quantization: each class was encoded into the latent space of the prior
${made.prior.name} ${made.prior.version}, quantized with ${describePoints(made.pointsPerClass)}${divided(made)}, and the points were decoded into images.

${distanceNote(distances)}

The dataset that it was distilled from has ${plain(describeMadeFrom(made.datasetVersion))}.

| column | meaning |
|---|---|
| \`image\` | PNG |
| \`label\` | ${names.length} classes: ${counted(names, made.pointsPerClass).join(', ')}; numbered in this order, which is that of their names by code units, whatever numbers the source had |
| \`weight\` | weight in the training loss, mean 1 over all rows; exponent a = ${weights.exponent} of ${weights.refit ? 'the mass refitted on the images' : "the cell's mass"}, class shares: ${weights.classShares.toLowerCase()} |
${soft ? `| \`soft_label\` | probabilities of the prior's teacher, in the order of the classes |\n` : ''}| \`point\` | index of the point in the class's codebook |
| \`cell_count\` | real images in the point's Voronoi cell |

Train with \`loss = (weight * cross_entropy(model(image), ${soft ? 'soft_label' : 'label'})).mean()\`.

Each of these loads it, after \`mkdir imagefolder && tar -xf imagefolder.tar -C imagefolder\` where the folder is not there yet:

\`\`\`python
datasets.load_dataset("parquet", data_files="train.parquet", split="train")  # Hugging Face, typed columns
datasets.load_dataset("imagefolder", data_dir="imagefolder", split="train")  # the same with metadata.jsonl
torchvision.datasets.ImageFolder("imagefolder")  # labels alone; the weights are in imagefolder/metadata.jsonl
webdataset.WebDataset("${shardPattern(shards)}", shardshuffle=False).decode("torchrgb").to_tuple("png", "cls", "json")
\`\`\`
${renamed.length > 0 ? `\n${renamedNote(renamed)}\n` : ''}
\`manifest.json\` has the digest of every file.

Made from dataset version \`${made.datasetVersion.digest}\` with prior \`${made.prior.id}\` (licence of the prior: ${made.prior.license}).
The images inherit the terms of the dataset that they were distilled from.
`;
}

function distanceNote({ w2Weighted, reduction, reductionBalanced, reductionD4m }: MeanDistances): string {
  const than = (share: number | null, what: string) =>
    share === null ? [] : [`${Math.abs(100 * share).toFixed(1)}% ${share < 0 ? 'above' : 'below'} ${what}`];
  const parts = [
    ...than(reduction, 'that of the same points with uniform weights'),
    ...than(reductionBalanced, 'that of the balanced quantizer'),
    ...than(reductionD4m, 'that of the quantizer of D4M'),
  ];
  return (
    `The weighted points are at a Wasserstein-2 distance of ${w2Weighted.toFixed(3)} from the latents of the real images (mean over classes, ` +
    `by exact transport): ${parts.join(', ')}.`
  );
}

/** Where the numbers of points come from, if they differ. */
function divided({ recipe }: Made): string {
  return recipe.totalImages === undefined ? '' : ' (the total is divided so that the distortion of the whole is least)';
}

/** With their points, where these differ. */
function counted(names: readonly string[], points: readonly number[]): string[] {
  const uneven = new Set(points).size > 1;
  return names.map((name, index) => (uneven ? `${plain(name)} (${points[index]})` : plain(name)));
}

function shardPattern(shards: number): string {
  const number = (shard: number) => String(shard).padStart(6, '0');
  return `webdataset-${shards === 1 ? number(0) : `{${number(0)}..${number(shards - 1)}}`}.tar`;
}

function renamedNote(renamed: CardFacts['renamed']): string {
  const pairs = renamed.map(({ className, folder }) => `${plain(className)} in ${plain(folder)}`);
  return (
    `Some classes lie in folders of other names, because theirs is no folder of its own on every file system ` +
    `(${pairs.join(', ')}); \`metadata.jsonl\` has the right ones.`
  );
}

/** Nothing of a class name is markup. */
function plain(name: string): string {
  return name.replace(/[&<>|`*_[\]\\]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Those of the hub, a factor of ten each. */
const SIZES = ['1K', '10K', '100K', '1M', '10M', '100M', '1B', '10B', '100B', '1T'];

function sizeCategory(rows: number): string {
  const above = SIZES.findIndex((_, i) => rows < 1000 * 10 ** i);
  if (above === 0) return `n<${SIZES[0]}`;
  return above > 0 ? `${SIZES[above - 1]}<n<${SIZES[above]}` : `n>${SIZES.at(-1)}`;
}
