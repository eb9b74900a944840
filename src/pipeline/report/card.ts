import { type Made } from './made.ts';

export interface CardFacts {
  names: readonly string[];
  rows: number;
  made: Made;
  weights: { exponent: number; classShares: string };
  /** Whether the rows carry soft labels. */
  soft: boolean;
}

/** The dataset card: README.md beside the Parquet file, with the front matter that the Hugging Face hub reads. */
export function datasetCard({ names, rows, made, weights, soft }: CardFacts): string {
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

| column | meaning |
|---|---|
| \`image\` | PNG |
| \`label\` | ${names.length} classes: ${names.map(plain).join(', ')} |
| \`weight\` | weight in the training loss, mean 1 over all rows; exponent a = ${weights.exponent} of the cell's mass, class shares: ${weights.classShares.toLowerCase()} |
${soft ? `| \`soft_label\` | probabilities of the prior's teacher, in the order of the classes |\n` : ''}| \`point\` | index of the point in the class's codebook |
| \`cell_count\` | real images in the point's Voronoi cell |

Train with \`loss = (weight * cross_entropy(model(image), ${soft ? 'soft_label' : 'label'})).mean()\`.

\`\`\`python
from datasets import load_dataset
dataset = load_dataset("parquet", data_files="train.parquet", split="train")
\`\`\`

Made from dataset version \`${made.datasetVersion.digest}\` with prior \`${made.prior.id}\` (licence of the prior: ${made.prior.license}).
The images inherit the terms of the dataset that they were distilled from.
`;
}

/** Nothing of a class name is markup. */
function plain(name: string): string {
  return name.replace(/[&<>|`*_[\]\\]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function sizeCategory(rows: number): string {
  if (rows < 1000) return 'n<1K';
  if (rows < 10_000) return '1K<n<10K';
  return rows < 100_000 ? '10K<n<100K' : '100K<n<1M';
}
