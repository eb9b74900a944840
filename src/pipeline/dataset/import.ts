import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ObjectStore, type SourceScanner } from '../ports.ts';
import { type DatasetVersionContent } from './version.ts';

export interface ImportRequest {
  scanner: SourceScanner;
  store: ObjectStore;
  projectId: string;
  /** Absolute path of a folder of class folders, a tar, or Parquet. */
  path: string;
  /** Class names to take; null or absent: all. */
  classes?: readonly string[] | null;
  /** The version before, of the same dataset: images it has stay in their chunks, so that they are not encoded again. */
  previous?: ArtifactManifest | null;
  /** A folder for sorted runs; what is written there is removed again. */
  tempDir: string;
  onProgress?: (progress: { images: number; bytes: number }) => void;
  signal?: AbortSignal;
}

export interface ImportedVersion extends Pick<DatasetVersionContent, 'digest' | 'images' | 'classes'> {
  /** As published in the store. */
  manifest: ArtifactManifest;
}

export async function importDataset(_request: ImportRequest): Promise<ImportedVersion> {
  throw new Error('not there yet');
}
