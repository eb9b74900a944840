import { invalid, notFound, PushforwardError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { canonicalJson } from '../base/json.ts';
import { type Clock } from '../base/clock.ts';
import { repeated } from '../base/repeated.ts';
import { parseUploadUri } from '../pipeline/uploads.ts';
import { type Principal } from './identity.ts';
import { type ImportRunner } from './imports.ts';
import { resolveSource } from './paths.ts';
import { type Catalog, type ProjectCatalog, type RealPath } from './ports.ts';
import { resolveUpload } from './upload-paths.ts';
import { type DatasetVersionView, type ImportSource } from './views.ts';

export interface ImportDatasetInput {
  /** Name of the dataset; one that exists gets a new version. */
  name: string;
  /** Absolute path on the machine of the service, `s3://bucket/prefix`, `upload:ID` or `upload:ID/path`. */
  path: string;
  /** Class names to take; absent: all. */
  classes?: readonly string[] | null;
  /** The split to take; absent: the only one, or where the format knows it the one for training. */
  split?: string | null;
  /** The upstream version that it comes from; absent: the newest that lies there, if any is known. */
  upstreamVersionId?: string | null;
  idempotencyKey: string;
}

/**
 * Records an import and leaves it to the runner. The same key gives the same version; another request under it is
 * IDEMPOTENCY_CONFLICT. An import of the same source that is still under way is joined.
 */
export async function importDataset(
  of: {
    catalog: Catalog;
    imports: ImportRunner;
    clock: Clock;
    importRoots: readonly string[] | null;
    realPath: RealPath;
    ownObjects: readonly string[];
  },
  principal: Principal,
  input: ImportDatasetInput,
): Promise<{ version: DatasetVersionView; reused: boolean }> {
  const rows = of.catalog.project(principal.projectId);
  const name = checkName(input.name);
  const idempotencyKey = checkKey(input.idempotencyKey);
  const asked = {
    name,
    path: input.path,
    classes: checkClasses(input.classes ?? null),
    split: checkSplitName(input.split ?? null),
    upstreamVersionId: input.upstreamVersionId ?? null,
  };

  const earlier = await rows.datasetVersionByKey(idempotencyKey);
  if (earlier) return { version: earlier.version, reused: same(earlier, asked, idempotencyKey) };

  await checkUpstream(rows, asked.upstreamVersionId);
  const upload = parseUploadUri(input.path);
  const real = upload
    ? await resolveUpload(rows, upload)
    : await resolveSource(input.path, of.importRoots, of.realPath, of.ownObjects);
  const { classes, split, upstreamVersionId } = asked;
  const source: ImportSource = { path: real, asked: input.path, classes, split, upstreamVersionId };
  const nowMs = of.clock.now().getTime();
  const { datasetVersionId, created } = await rows.createImport({
    datasetVersionId: newId('dsv', nowMs),
    newDatasetId: newId('ds', nowMs),
    datasetName: name,
    source,
    uploadId: upload?.id ?? null,
    idempotencyKey,
  });
  if (!created) {
    // Lost a race for the key: whoever won may have asked for something else.
    const winner = await rows.datasetVersionByKey(idempotencyKey);
    if (winner) same(winner, asked, idempotencyKey);
  }
  const [found] = await rows.datasetVersionsById([datasetVersionId]).finally(() => of.imports.wake());
  if (!found)
    throw new PushforwardError('INTERNAL', `dataset version ${datasetVersionId} vanished after it was created`);
  return { version: found.version, reused: !created };
}

/**
 * Ends an import under way as FAILED with the code CANCELLED, for all who joined it; one that has ended stays as it is.
 * @throws NOT_FOUND
 */
export async function cancelImport(
  of: { catalog: Catalog; imports: ImportRunner },
  principal: Principal,
  datasetVersionId: string,
): Promise<DatasetVersionView> {
  const rows = of.catalog.project(principal.projectId);
  const read = async () => {
    const [found] = await rows.datasetVersionsById([datasetVersionId]);
    if (!found) throw notFound('dataset version', datasetVersionId);
    return found.version;
  };
  if ((await read()).state === 'IMPORTING') {
    // First what lasts: whoever carries it out finds nothing to finish.
    await rows.failImport(datasetVersionId, {
      code: 'CANCELLED',
      message: 'expected the import to end, got a request to cancel it: import again',
    });
    of.imports.cancel(datasetVersionId);
  }
  return await read();
}

/** @returns true; @throws IDEMPOTENCY_CONFLICT where the key was used for another request */
function same(
  earlier: { version: DatasetVersionView; source: ImportSource; datasetName: string },
  asked: Pick<ImportSource, 'path' | 'classes' | 'split' | 'upstreamVersionId'> & { name: string },
  key: string,
): true {
  const { asked: path, classes, split, upstreamVersionId } = earlier.source;
  const was = canonicalJson({ name: earlier.datasetName, path, classes, split, upstreamVersionId });
  const is = canonicalJson(asked);
  if (was !== is) {
    throw new PushforwardError(
      'IDEMPOTENCY_CONFLICT',
      `expected the request that idempotency key ${key} was first used for (${was}), got ${is}: use a new key for a new request`,
      { path: ['idempotencyKey'], datasetVersionId: earlier.version.id },
    );
  }
  return true;
}

async function checkUpstream(rows: Pick<ProjectCatalog, 'upstreamVersionsById'>, id: string | null): Promise<void> {
  if (id === null || (await rows.upstreamVersionsById([id])).length > 0) return;
  throw new PushforwardError(
    'NOT_FOUND',
    `expected an upstream version of this project, got ${id}, which does not exist: send its OpenLineage event first, or leave upstreamVersionId out`,
    { id, path: ['upstreamVersionId'] },
  );
}

function checkName(name: string): string {
  const trimmed = name.trim();
  if (trimmed.length < 1 || trimmed.length > 200) {
    throw invalid(`expected a dataset name of 1 to 200 characters, got ${trimmed.length}: choose another name`, {
      path: ['name'],
    });
  }
  return trimmed;
}

/** Shared by every mutation that takes a key. */
export function checkKey(key: string): string {
  if (key.length < 1 || key.length > 200) {
    throw invalid(`expected an idempotency key of 1 to 200 characters, got ${key.length}: use a UUID`, {
      path: ['idempotencyKey'],
    });
  }
  return key;
}

function checkClasses(classes: readonly string[] | null): string[] | null {
  if (classes === null) return null;
  if (classes.length === 0)
    throw invalid('expected at least one class, got none: leave classes out to take all', { path: ['classes'] });
  const twice = repeated(classes);
  if (twice !== null) throw invalid(`expected each class once, got ${twice} twice: remove one`, { path: ['classes'] });
  return [...classes];
}

function checkSplitName(split: string | null): string | null {
  if (split === null || /^[^/\\\0]{1,100}$/.test(split)) return split;
  throw invalid(
    `expected the name of a split (1 to 100 characters, no path), got ${JSON.stringify(split.slice(0, 100))}: name one such as train, or leave split out`,
    { path: ['split'] },
  );
}
