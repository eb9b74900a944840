import { type ClassBalance, classBalance } from '../pipeline/dataset/balance.ts';
import { describeImages, describeSource } from '../pipeline/dataset/describe.ts';
import { datasetContent, type DatasetVersionContent } from '../pipeline/dataset/version.ts';
import { type ArtifactView } from './views.ts';

/** What the manifest of a dataset version tells of its images and of where they were read from. */
export interface DatasetFacts extends Pick<
  DatasetVersionContent,
  'format' | 'bytes' | 'chunks' | 'duplicates' | 'ignored' | 'split' | 'splits'
> {
  balance: ClassBalance;
  /** A line on the images and one on their source, for people. */
  summary: [string, string];
}

export function datasetFacts({ manifest }: Pick<ArtifactView, 'manifest'>): DatasetFacts {
  const content = datasetContent(manifest);
  const balance = classBalance(content.classes);
  return { ...content, balance, summary: [describeImages({ ...content, balance }), describeSource(content)] };
}
