import { type ImagesFacts } from '../dataset/describe.ts';
import { type QuantizerOptions } from '../quantizers/quantized.ts';
import { type Recipe } from '../recipe.ts';

/**
 * What a synthetic dataset was made from; written into the Parquet file, the card and the manifest. The dataset version by its digest and what
 * follows from that: where its images lie makes no difference to the bytes.
 */
export interface Made {
  datasetVersion: { digest: string } & ImagesFacts;
  prior: { id: string; name: string; version: string; license: string };
  /** In the order of the classes. */
  pointsPerClass: number[];
  /** What of the recipe the images follow from. */
  recipe: Pick<Recipe, 'imagesPerClass' | 'totalImages' | 'seed' | 'holdout' | 'decoder' | 'labels'> & {
    quantizer: QuantizerOptions;
  };
}
