import { describeImages } from '../dataset/describe.ts';
import { type Made } from './made.ts';

export interface CardFacts {
  names: readonly string[];
  rows: number;
  made: Made;
  weights: { exponent: number; classShares: string };
  /** Whether the rows carry soft labels. */
  soft: boolean;
  /** How many WebDataset shards there are. */
  shards: number;
  /** Classes whose folder in the image folder has another name. */
  renamed: readonly { className: string; folder: string }[];
}

/** The dataset card: README.md beside the Parquet file, with the front matter that the Hugging Face hub reads. */
export function datasetCard({ names, rows, made, weights, soft, shards, renamed }: CardFacts): string {
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
${made.prior.name} ${made.prior.version}, quantized with ${made.imagesPerClass} points, and the points were decoded into images.

The dataset that it was distilled from has ${plain(describeImages(made.datasetVersion))}.

| column | meaning |
|---|---|
| \`image\` | PNG |
| \`label\` | ${names.length} classes: ${names.map(plain).join(', ')}; numbered in this order, which is that of their names by code units, whatever numbers the source had |
| \`weight\` | weight in the training loss, mean 1 over all rows; exponent a = ${weights.exponent} of the cell's mass, class shares: ${weights.classShares.toLowerCase()} |
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
