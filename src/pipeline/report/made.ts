/** Digests of what a synthetic dataset was made from; written into the Parquet file and the card. */
export interface Made {
  datasetVersion: { id: string; digest: string; images: number };
  prior: { id: string; name: string; version: string; license: string };
  imagesPerClass: number;
}
