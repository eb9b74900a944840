import { getBlob, readManifest } from '../artifacts.ts';
import { type ObjectStore } from '../ports.ts';

/** The blob of a sample that has the chosen images. */
export const PICKS = 'picks.json';

/** Chosen images of a chunk: their places in it, and their digests. */
export interface Pick {
  chunk: string;
  rows: number[];
  images: string[];
}

/** @param id of what the stage published of a class */
export async function readPicks(store: ObjectStore, projectId: string, id: string): Promise<Pick[]> {
  const { blobs } = await readManifest(store, projectId, id);
  return JSON.parse(new TextDecoder().decode(await getBlob(store, projectId, blobs[PICKS]!))) as Pick[];
}
