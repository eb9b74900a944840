import { invalid, notFound } from '../base/errors.ts';
import { type Cell, cellOf, type ClassCells, identityOf, readCells } from '../pipeline/cells.ts';
import { imagePlaces } from '../pipeline/dataset/places.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import { requireBytes } from './artifacts.ts';
import { type Principal } from './identity.ts';
import { type ArtifactView, type Catalog, type DatasetVersionView, type Page, type ProjectCatalog } from './ports.ts';
import { type StoredImage, storedImage } from './stored-images.ts';
import { wholeNumber } from './whole-number.ts';

export interface CellRequest {
  /** A codebook, or something that was made from some: images, soft labels, a synthetic dataset, ... */
  artifactId: string;
  /** Null: the only one that the artifact has. */
  className: string | null;
  point: number;
  /** Whose images are named; null: the version of the run that made the artifact. */
  datasetVersionId: string | null;
}

/** What a point stands for. */
export interface CellView extends Omit<Cell, 'members'> {
  codebook: ArtifactView;
  className: string;
  point: number;
  /** Null where the run that made the artifact is not known. */
  datasetVersion: DatasetVersionView | null;
  /** Nearest first; `after` counts those before the page. */
  members(page: { first: number; after: number }): Page<CellMember>;
}

export interface CellMember {
  /** Place among the members, from 0. */
  rank: number;
  /** Of the stored image. */
  sha256: string;
  squaredDistance: number;
  /** Where it lies; null where the version has no such image, or its list of images was deleted. */
  image(): Promise<StoredImage | null>;
}

export interface Cells {
  cell(principal: Principal, request: CellRequest): Promise<CellView>;
}

/** Samples whose cells are remembered beside those of the last class, at 50 bytes each: pages of a cell, and cells of a class, follow each other. */
const REMEMBERED_SAMPLES = 1_000_000;

type Rows = Pick<ProjectCatalog, 'artifactsById' | 'inputsOfArtifacts' | 'runsById' | 'datasetVersionsById'>;

/** Which real images stand behind a synthetic one: computed from codebook and latents when it is asked for, a class at a time. */
export function createCells({ catalog, store }: { catalog: Catalog; store: ObjectStore }): Cells {
  /** The class that was asked for last comes last. */
  const known = new Map<string, ClassCells>();
  let reading: Promise<unknown> = Promise.resolve();

  async function cellsOf(projectId: string, codebook: ArtifactView): Promise<ClassCells> {
    const key = `${projectId} ${codebook.id}`;
    const read = async (): Promise<ClassCells> =>
      known.get(key) ??
      (await readCells(store, projectId, { codebook: codebook.id, latents: codebook.manifest.inputs }));
    const turn = known.has(key) ? read() : reading.then(read, read);
    if (!known.has(key)) reading = turn;
    const cells = await turn;
    known.delete(key);
    known.set(key, cells);
    forget();
    return cells;
  }

  function forget(): void {
    let samples = 0;
    for (const [at, [key, { assignment }]] of [...known].reverse().entries()) {
      samples += assignment.length;
      if (at > 0 && samples > REMEMBERED_SAMPLES) known.delete(key);
    }
  }

  return {
    async cell({ projectId }, { artifactId, className, point, datasetVersionId }) {
      const rows = catalog.project(projectId);
      const [artifact] = await rows.artifactsById([artifactId]);
      if (!artifact) throw notFound('artifact', artifactId);
      const codebook = chosen(artifact, await codebooksOf(rows, artifact), className);
      wholeNumber(point, {
        ...{ name: 'point', from: 0, to: (codebook.manifest.content['k'] as number) - 1, path: ['point'] },
        remedy: `the codebook of class ${classOf(codebook)} has points of these numbers`,
      });
      const latents = await rows.artifactsById([...new Set(codebook.manifest.inputs)]);
      for (const one of [codebook, ...latents]) requireBytes(one);
      const datasetVersion = await versionOf(rows, datasetVersionId, artifact.runId ?? codebook.runId);
      const cells = await cellsOf(projectId, codebook);
      const { members, ...cell } = cellOf(cells, point);

      async function imagesOf(samples: Int32Array): Promise<(StoredImage | null)[]> {
        const listed = await listOf(rows, datasetVersion);
        if (!listed) return Array.from(samples, () => null);
        const chunkOf = new Map(latents.map(({ id, manifest }) => [id, manifest.options['images'] as string]));
        const wanted = Array.from(samples, (sample) => {
          const { part, ...image } = identityOf(cells, sample);
          return { ...image, chunk: chunkOf.get(codebook.manifest.inputs[part]!)! };
        });
        const places = await imagePlaces(store, projectId, listed.manifest, wanted);
        return places.map((place) => place && storedImage(place));
      }

      return {
        ...{ ...cell, codebook, className: classOf(codebook), point, datasetVersion },
        members({ first, after }) {
          const samples = members.subarray(after, after + first);
          let images: Promise<(StoredImage | null)[]> | undefined;
          const items = Array.from(samples, (sample, index) => ({
            rank: after + index,
            sha256: identityOf(cells, sample).sha256,
            squaredDistance: cells.squaredDistances[sample]!,
            image: async () => (await (images ??= imagesOf(samples)))[index]!,
          }));
          return { items, hasMore: after + items.length < members.length };
        },
      };
    },
  };
}

const classOf = (codebook: ArtifactView): string => codebook.manifest.content['className'] as string;
const labelOf = (codebook: ArtifactView): number => codebook.manifest.content['label'] as number;

/** The codebooks that an artifact is, or was made from within two steps: soft labels come from images, and these from a codebook. */
async function codebooksOf(rows: Rows, artifact: ArtifactView): Promise<ArtifactView[]> {
  let level = [artifact];
  for (let step = 0; step <= 2 && level.length > 0; step++) {
    const found = level.filter(({ kind }) => kind === 'codebook');
    if (found.length > 0) return found.sort((a, b) => labelOf(a) - labelOf(b));
    level = (await rows.inputsOfArtifacts(level.map(({ id }) => id))).map(({ input }) => input);
  }
  throw invalid(
    `expected a codebook or what was made from one, got artifact ${artifact.id}, a ${artifact.kind}: name the codebook of a class, its images, or a synthetic dataset`,
    { path: ['artifactId'], kind: artifact.kind },
  );
}

function chosen(artifact: ArtifactView, codebooks: readonly ArtifactView[], className: string | null): ArtifactView {
  const found = className === null ? codebooks : codebooks.filter((one) => classOf(one) === className);
  if (found.length === 1) return found[0]!;
  const names = codebooks.slice(0, MOST_NAMES).map(classOf).join(', ');
  const all = codebooks.length > MOST_NAMES ? `${names} and ${codebooks.length - MOST_NAMES} more` : names;
  throw invalid(
    `expected className to name a class of artifact ${artifact.id}, got ${JSON.stringify(className)}: choose from ${all}`,
    { path: ['className'] },
  );
}

const MOST_NAMES = 20;

async function versionOf(rows: Rows, askedId: string | null, runId: string | null): Promise<DatasetVersionView | null> {
  const [run] = askedId === null && runId !== null ? await rows.runsById([runId]) : [];
  const id = askedId ?? run?.datasetVersionId;
  if (id === undefined) return null;
  const [found] = await rows.datasetVersionsById([id]);
  if (!found) throw notFound('dataset version', id);
  return found.version;
}

/** The artifact that tells where the images of a version lie. */
async function listOf(rows: Rows, version: DatasetVersionView | null): Promise<ArtifactView | null> {
  if (!version?.artifactId) return null;
  const [artifact] = await rows.artifactsById([version.artifactId]);
  return artifact && artifact.state !== 'DELETED' ? artifact : null;
}
