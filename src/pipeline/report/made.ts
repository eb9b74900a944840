/**
 * What a synthetic dataset was made from; written into the Parquet file and the card. The dataset version by its digest alone:
 * where its images lie makes no difference to the bytes.
 */
export interface Made {
  datasetVersion: { digest: string; images: number };
  prior: { id: string; name: string; version: string; license: string };
  imagesPerClass: number;
}
