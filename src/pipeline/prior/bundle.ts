import { type BundleFiles } from '../ports.ts';
import { type PriorDescription } from './description.ts';

/** A bundle whose description was parsed and whose files all have the digests that prior.json states. */
export interface Bundle {
  readonly description: PriorDescription;
  /** Reads one listed file (or prior.json) and checks its digest. */
  read(path: string): Promise<Uint8Array>;
}

/**
 * Reads and checks a bundle.
 * @throws PRIOR_INVALID naming the file, what was expected and what was received; UNSAFE_PATH for a path that leaves the bundle
 */
export async function readBundle(_files: BundleFiles): Promise<Bundle> {
  throw new Error('being written');
}
