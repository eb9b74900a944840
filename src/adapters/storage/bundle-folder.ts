import { type BundleFiles } from '../../pipeline/ports.ts';

/** The files below a local folder; symbolic links are not followed. */
export function bundleFolder(_root: string): BundleFiles {
  throw new Error('being written');
}
