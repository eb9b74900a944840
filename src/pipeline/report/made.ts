import { describeImages, type ImagesFacts } from '../dataset/describe.ts';
import { type QuantizerOptions } from '../quantizers/quantized.ts';
import { type Recipe } from '../recipe.ts';

/**
 * What a synthetic dataset was made from; written into the Parquet file, the card and the manifest. The dataset version by its digest and what
 * follows from that: where its images lie makes no difference to the bytes.
 */
export interface Made {
  datasetVersion: MadeFrom;
  prior: { id: string; name: string; version: string; license: string };
  /** In the order of the classes. */
  pointsPerClass: number[];
  /** What of the recipe the images follow from. */
  recipe: Pick<Recipe, 'imagesPerClass' | 'totalImages' | 'seed' | 'holdout' | 'decoder' | 'labels'> & {
    quantizer: QuantizerOptions;
  };
}

type MadeFrom = ImagesFacts & {
  digest: string;
  /** Images that are broken and were left out, as the recipe tolerates; absent: none. */
  leftOut?: number;
};

/** As `describeImages`, with those that nothing was made from. */
export function describeMadeFrom({ leftOut = 0, ...images }: MadeFrom): string {
  const told =
    leftOut === 1 ? '1 is broken and was left out' : `${leftOut.toLocaleString('en-US')} are broken and were left out`;
  return leftOut === 0 ? describeImages(images) : `${describeImages(images)}; ${told}`;
}
