import { canonicalJson } from '../../base/json.ts';
import { type BlobReference } from '../../engine/ports.ts';
import { type Made } from './made.ts';

/** `manifest.json`: digests of the files beside it, and everything that their bytes follow from. */
export function datasetManifest(of: {
  files: Record<string, BlobReference>;
  classes: readonly string[];
  images: number;
  made: Made;
  weights: { exponent: number; classShares: string };
  /** Classes whose folder in imagefolder.tar has another name. */
  renamed: readonly { className: string; folder: string }[];
}): string {
  const files = Object.entries(of.files).map(([name, { bytes, sha256, mediaType }]) => ({
    name,
    bytes,
    sha256,
    mediaType,
  }));
  const { recipe, ...source } = of.made;
  const manifest = {
    formatVersion: 1,
    files,
    classes: [...of.classes],
    images: of.images,
    ...source,
    recipe: { ...recipe, weights: of.weights },
    renamedFolders: of.renamed,
  };
  return `${JSON.stringify(JSON.parse(canonicalJson(manifest)), null, 2)}\n`;
}
