import { PushforwardError } from '../../base/errors.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { type ArtifactManifest } from '../../engine/ports.ts';
import { type Points } from '../../numerics/math/points.ts';
import { readManifest } from '../artifacts.ts';
import { asLatents, readTensors, SHORT_DIGEST } from '../latents.ts';
import { type ObjectStore } from '../ports.ts';

/** A codebook by what plans need of it. */
export interface ReferenceClass {
  className: string;
  /** Its artifact. */
  codebook: string;
  /** Samples, and those that the quantizer never saw. */
  n: number;
  heldoutN: number;
}

/** Manifests that are read at once. */
export const READS = 16;

/** The artifacts of a quantize stage's tasks, from its own manifest. */
export const codebooksOf = (stage: ArtifactManifest): string[] => stage.content['tasks'] as string[];

/** @param stage artifact of the quantize stage that is the reference */
export async function referenceClasses(
  store: ObjectStore,
  projectId: string,
  stage: string,
): Promise<ReferenceClass[]> {
  const ids = codebooksOf(await readManifest(store, projectId, stage));
  const manifests = await mapLimited(ids, READS, (id) => readManifest(store, projectId, id));
  return manifests.map(asReference);
}

function asReference({ id, content, metrics }: ArtifactManifest): ReferenceClass {
  return { className: content['className'] as string, codebook: id, n: metrics['n']!, heldoutN: metrics['heldoutN']! };
}

/** Codebooks keep what new images are compared with since this version of the quantize stage. */
const SINCE = 4;

/** Whether a codebook has what new images are compared with. */
export function isComparable({ stageVersion, metrics }: Pick<ArtifactManifest, 'stageVersion' | 'metrics'>) {
  return stageVersion >= SINCE && metrics['heldoutN']! > 0;
}

/**
 * What new images of a class are compared with: samples that the quantizer never saw. Fitted distances are shorter: against them each of 200 draws of
 * like images was an alarm (CIFAR-10, ten classes, K = 50). Counts of the cells are fitted, too, where cells are small. Like images, by chi-square against the
 * training samples' counts, at a level of 5%: alarms in 3% of cases with 50 samples a point, 16% with 25, 26% with 20, 86% with 10; against held-out ones in 3 to 7%.
 */
export interface Reference {
  /** (k, d) */
  centroids: Points;
  /** (k,) held-out samples of each cell */
  counts: Int32Array;
  /** (h,) squared distances of the held-out samples to their points */
  squaredDistances: Float32Array;
}

/** @throws CORRUPT_ARTIFACT where the codebook was made before it kept them */
export async function readReference(store: ObjectStore, projectId: string, codebook: string): Promise<Reference> {
  const tensors = await readTensors(store, projectId, codebook, 'codebook.safetensors');
  const { points } = asLatents(tensors['centroids'], `centroids of artifact ${codebook}`);
  const assignment = tensors['heldOutAssignment']?.data as Int32Array | undefined;
  if (!assignment) throw tooOld(codebook);
  return {
    centroids: points,
    counts: countsOf(assignment, points.n),
    squaredDistances: tensors['heldOutDistances']!.data as Float32Array,
  };
}

/** How many samples each of the k points has. */
export function countsOf(assignment: Int32Array, k: number): Int32Array {
  const counts = new Int32Array(k);
  for (const point of assignment) counts[point]!++;
  return counts;
}

/** The images of a codebook, the held-out ones too, by their digests. */
export interface KnownImages {
  readonly size: number;
  /** @param sha256 lower-case hexadecimal */
  has(sha256: string): boolean;
}

export async function readKnownImages(store: ObjectStore, projectId: string, codebook: string): Promise<KnownImages> {
  const { imageDigests } = await readTensors(store, projectId, codebook, 'codebook.safetensors');
  if (!imageDigests) throw tooOld(codebook);
  const hex = Buffer.from(imageDigests.data as Uint8Array).toString('hex');
  const known = new Set<string>();
  for (let at = 0; at < hex.length; at += 2 * SHORT_DIGEST) known.add(hex.slice(at, at + 2 * SHORT_DIGEST));
  return { size: known.size, has: (digest) => known.has(digest.slice(0, 2 * SHORT_DIGEST)) };
}

function tooOld(codebook: string): PushforwardError {
  return new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected codebook ${codebook} to keep its held-out samples, got one that an earlier release made: retry its run`,
    { artifactId: codebook },
  );
}
