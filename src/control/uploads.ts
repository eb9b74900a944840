import { type Clock } from '../base/clock.ts';
import { invalid, notFound, PushforwardError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { digestOf } from '../base/json.ts';
import { type Log } from '../base/log.ts';
import { mapLimited } from '../base/map-limited.ts';
import { type IncomingPart, type ObjectStore } from '../pipeline/ports.ts';
import { uploadFolder } from '../pipeline/uploads.ts';
import { checkKey } from './datasets.ts';
import { type Principal } from './identity.ts';
import { type Catalog, type GatheredFile, type ProjectCatalog } from './ports.ts';
import { checkSha256, planUpload, type UploadFileInput } from './upload-plan.ts';
import { type UploadView } from './views.ts';

export interface UploadLimits {
  /** Of the files of one upload together. */
  maxBytes: number;
  /** How long an upload lives that nobody sends parts of, and one that no import uses. */
  keepMs: number;
}

export interface UploadNeeds {
  catalog: Catalog;
  store: ObjectStore;
  clock: Clock;
  log: Log;
  uploads: UploadLimits;
}

export interface CreateUploadInput {
  files: readonly UploadFileInput[];
  idempotencyKey: string;
}

/** A part as who sends it names it. */
export interface UploadPartInput {
  path: string;
  /** From 1. */
  number: number;
  /** Of its bytes, lower-case hex. */
  sha256: string;
}

/** A request to send, with the bytes of the part as its body. */
export interface SignedUploadPart {
  path: string;
  number: number;
  bytes: number;
  url: string;
  headers: { name: string; value: string }[];
  expiresAt: Date;
}

/** Parts that one request may ask for. */
export const MAX_SIGNED = 100;
const URL_SECONDS = 3600;
/** Requests to the store at once. */
export const PARALLEL = 8;

/**
 * Records an upload. The same key gives the same upload; another request under it is IDEMPOTENCY_CONFLICT.
 * Parts of files whose digest was given are signed at once, the first 100; others are asked for with `signUploadParts`.
 */
export async function createUpload(
  of: UploadNeeds,
  principal: Principal,
  input: CreateUploadInput,
): Promise<{ upload: UploadView; parts: SignedUploadPart[]; reused: boolean }> {
  const rows = of.catalog.project(principal.projectId);
  const idempotencyKey = checkKey(input.idempotencyKey);
  const files = planUpload(input.files, of.uploads.maxBytes);
  const fingerprint = digestOf({
    upload: 1,
    files: input.files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256: sha256 ?? null })),
  });
  const nowMs = of.clock.now().getTime();
  const expiresAt = new Date(nowMs + of.uploads.keepMs);
  const order = { id: newId('upl', nowMs), idempotencyKey, fingerprint, files, expiresAt };
  const { uploadId, created } = await rows.createUpload(order);
  if (!created) {
    const earlier = await rows.uploadByKey(idempotencyKey);
    if (earlier?.fingerprint !== fingerprint) {
      throw new PushforwardError(
        'IDEMPOTENCY_CONFLICT',
        `expected the files that idempotency key ${idempotencyKey} was first used for (upload ${uploadId}), got others: use a new key for a new upload`,
        { path: ['idempotencyKey'] },
      );
    }
  }
  const upload = await getUpload(rows, uploadId);
  const complete = new Set((await rows.filesOfUploads([uploadId])).flatMap((file) => (file.complete ? file.path : [])));
  const known = input.files.flatMap(({ path, sha256 }) => (sha256 ? [{ path, number: 1, sha256 }] : []));
  const wanted = upload.state === 'OPEN' ? known.filter(({ path }) => !complete.has(path)).slice(0, MAX_SIGNED) : [];
  return { upload, parts: await sign(of, principal, uploadId, wanted), reused: !created };
}

/**
 * Requests that put parts into the store. Each is bound to size and digest of its part and can be asked for again, also after
 * it expired; asking keeps the upload from expiring.
 */
export async function signUploadParts(
  of: UploadNeeds,
  principal: Principal,
  input: { uploadId: string; parts: readonly UploadPartInput[] },
): Promise<SignedUploadPart[]> {
  const { uploadId, parts } = input;
  if (parts.length < 1 || parts.length > MAX_SIGNED) {
    throw invalid(`expected 1 to ${MAX_SIGNED} parts, got ${parts.length}: ask for some after others`, {
      path: ['parts'],
    });
  }
  const rows = of.catalog.project(principal.projectId);
  requireOpen(await getUpload(rows, uploadId, 'uploadId'));
  return await sign(of, principal, uploadId, parts);
}

async function sign(
  of: UploadNeeds,
  { projectId }: Principal,
  uploadId: string,
  asked: readonly UploadPartInput[],
): Promise<SignedUploadPart[]> {
  if (asked.length === 0) return [];
  const rows = of.catalog.project(projectId);
  const files = new Map(
    (await rows.gatheredFiles(uploadId, [...new Set(asked.map((part) => part.path))])).map((file) => [file.path, file]),
  );
  const parts = asked.map((part, index) => checkPart(part, index, files));
  checkOnce(asked);
  const gatherings = new Map<number, string>();
  await mapLimited([...new Set(parts.map(({ file }) => file))], PARALLEL, async (file) => {
    gatherings.set(file.index, file.gathering ?? (await gather(of, projectId, file)));
  });
  const now = of.clock.now().getTime();
  await rows.recordParts(
    uploadId,
    parts.map(({ file, part }) => ({ file: file.index, number: part.number, sha256: part.sha256 })),
    new Date(now + of.uploads.keepMs),
  );
  return await Promise.all(
    parts.map(async ({ file, part }) => {
      const key = uploadFolder(projectId, uploadId) + file.path;
      const signed = await of.store.incoming.signPart(key, gatherings.get(file.index)!, part, URL_SECONDS);
      return {
        path: file.path,
        number: part.number,
        bytes: part.bytes,
        url: signed.url,
        headers: Object.entries(signed.headers).map(([name, value]) => ({ name, value })),
        expiresAt: new Date(now + URL_SECONDS * 1000),
      };
    }),
  );
}

function checkPart(
  { path, number, sha256 }: UploadPartInput,
  index: number,
  files: ReadonlyMap<string, GatheredFile>,
): { file: GatheredFile; part: IncomingPart } {
  const at = (field: string) => ({ path: ['parts', String(index), field] });
  const file = files.get(path);
  if (!file) throw invalid(`expected a file of the upload, got ${JSON.stringify(path)}: correct the path`, at('path'));
  if (file.complete) {
    throw invalid(`expected parts that are to be sent, got ${path}, which is complete: leave it out`, at('path'));
  }
  if (!Number.isInteger(number) || number < 1 || number > file.partCount) {
    throw invalid(`expected part 1 to ${file.partCount} of ${path}, got ${number}: correct the number`, at('number'));
  }
  checkSha256(sha256, at('sha256').path);
  return { file, part: { number, bytes: bytesOf(file, number), sha256 } };
}

/** Of two digests for one part only one could be kept. */
function checkOnce(parts: readonly UploadPartInput[]): void {
  const seen = new Set<string>();
  for (const [index, { path, number }] of parts.entries()) {
    const part = `part ${number} of ${path}`;
    if (seen.has(part)) {
      throw invalid(`expected each part once, got ${part} twice: leave one out`, { path: ['parts', String(index)] });
    }
    seen.add(part);
  }
}

/** The first of several who begin at once decides; what the others began is freed when the upload ends. */
async function gather({ catalog, store }: UploadNeeds, projectId: string, file: GatheredFile): Promise<string> {
  const rows = catalog.project(projectId);
  const folder = uploadFolder(projectId, file.uploadId);
  const begun = await store.incoming.begin(folder + file.path);
  const kept = await rows.setGathering(file.uploadId, file.index, begun);
  if (kept !== null) return kept;
  await store.incoming.abort(folder);
  throw notOpen(await getUpload(rows, file.uploadId));
}

/** Of part `number`, counted from 1. */
export function bytesOf({ bytes, partBytes, partCount }: GatheredFile, number: number): number {
  return number < partCount ? partBytes : bytes - partBytes * (partCount - 1);
}

/** @throws NOT_FOUND */
export async function getUpload(
  rows: Pick<ProjectCatalog, 'uploadsById'>,
  id: string,
  field = 'id',
): Promise<UploadView> {
  const [upload] = await rows.uploadsById([id]);
  if (upload) return upload;
  const error = notFound('upload', id);
  throw new PushforwardError(error.code, error.message, { ...error.details, path: [field] });
}

/** @throws NOT_READY unless it takes parts */
export function requireOpen(upload: UploadView): void {
  if (upload.state !== 'OPEN') throw notOpen(upload);
}

function notOpen({ id, state }: UploadView): PushforwardError {
  const remedy = state === 'READY' ? 'import it' : 'create another';
  return new PushforwardError('NOT_READY', `expected upload ${id} to be OPEN, got ${state}: ${remedy}`, {
    path: ['id'],
  });
}
