import { randomUUID } from 'node:crypto';
import { invalid, notFound, PushforwardError } from '../base/errors.ts';
import { mapLimited } from '../base/map-limited.ts';
import { type ApiClient, refuse, type Refusal } from './client.ts';
import { isUnchanged, type LocalFile, localFiles } from './local-files.ts';
import { type Progress } from './progress.ts';
import { bundles, type Part, partsOf } from './upload-parts.ts';
import { sendBundle } from './send-parts.ts';
import { count } from './table.ts';

export interface UploadRequest {
  /** Files and folders of this machine. */
  paths: readonly string[];
  /** An upload that was begun with the same files: what it has is not sent again. */
  resume?: string | undefined;
  /** The service that was named, if one was. */
  url?: string | undefined;
  /** Bundles of parts in flight: each is in memory, 16 MiB or one part of a file beyond 160 GB. */
  parallel: number;
}

/** Enough to keep a line busy while others wait for an answer. */
export const PARALLEL = 4;

interface UploadAnswer {
  id: string;
  state: string;
  path: string;
  createdAt: string;
  files: { path: string; bytes: number; partBytes: number; partCount: number }[];
}

/**
 * Sends files to the store, past the service, and completes the upload. An upload that is interrupted or fails stays as it
 * is, to be resumed or to expire.
 * @returns `upload:ID`
 */
export async function upload(
  client: ApiClient,
  request: UploadRequest,
  progress: Progress,
  interrupt: AbortSignal,
): Promise<string> {
  const { files, leftOut } = await localFiles(request.paths);
  const left = Object.entries(leftOut).flatMap(([why, files]) => (files > 0 ? `${count(files)} ${why}` : []));
  if (left.length > 0) progress.say(`  upload    leaves out files: ${left.join(', ')}`);
  const begun = request.resume === undefined ? await begin(client, files) : await find(client, request.resume, files);
  const local = new Map(files.map((file) => [file.path, file]));
  const parts = begun.files.flatMap((file) => partsOf(file, local.get(file.path)!));
  try {
    await sendUntilComplete({ client, uploadId: begun.id, parts, request, progress, interrupt });
  } catch (error) {
    if (!(error instanceof PushforwardError)) throw error;
    const where = request.url === undefined ? '' : ` --url ${request.url}`;
    const hint = `go on with \`pushforward upload --resume ${begun.path}${where}\` and the same paths`;
    throw new PushforwardError(error.code, `${error.message}; ${hint}`, error.details, { cause: error });
  }
  return begun.path;
}

async function begin(client: ApiClient, files: readonly LocalFile[]): Promise<UploadAnswer> {
  const input = { files: files.map(({ path, bytes }) => ({ path, bytes })), idempotencyKey: randomUUID() };
  const { createUpload } = await client.send<{ createUpload: Refusal & { upload: UploadAnswer } }>('CreateUpload', {
    input,
  });
  refuse(createUpload);
  return createUpload.upload;
}

/** @throws INVALID_INPUT unless it is of these files, SOURCE_CHANGED where one is not as it was when the upload was begun */
async function find(client: ApiClient, name: string, files: readonly LocalFile[]): Promise<UploadAnswer> {
  const id = name.replace(/^upload:/, '');
  const { upload: found } = await client.send<{ upload: UploadAnswer | null }>('Upload', { id });
  if (!found) throw notFound('upload', id);
  const textOf = (of: readonly { path: string; bytes: number }[]) =>
    JSON.stringify(of.map(({ path, bytes }) => [path, bytes]).sort());
  if (textOf(found.files) !== textOf(files)) {
    throw invalid(
      `expected the files that ${name} was begun with, got others: give the same paths, or begin another upload`,
    );
  }
  // Parts that are there are of what it was then.
  const changed = files.find(({ changedMs }) => changedMs > Date.parse(found.createdAt));
  if (changed) {
    throw new PushforwardError(
      'SOURCE_CHANGED',
      `expected ${changed.file} as it was when ${name} was begun (${found.createdAt}), got one that was changed or put there at ` +
        `${new Date(changed.changedMs).toISOString()}: begin another upload`,
    );
  }
  return found;
}

interface Sending {
  client: ApiClient;
  uploadId: string;
  parts: readonly Part[];
  request: UploadRequest;
  progress: Progress;
  interrupt: AbortSignal;
}

/** What the service finds missing is sent, as long as there is less of it each time. */
async function sendUntilComplete(of: Sending): Promise<void> {
  const { client, uploadId, parts, request } = of;
  const startedMs = Date.now();
  let due: readonly Part[] = request.resume === undefined ? parts : [];
  for (let before = Infinity; ;) {
    await send(of, due);
    if (due.length > 0) await requireUnchanged(due);
    const { completeUpload: answer } = await client.send<{ completeUpload: CompleteAnswer }>('CompleteUpload', {
      id: uploadId,
    });
    if (answer.__typename === 'CompleteUploadSuccess') break;
    if (answer.missing === undefined || answer.missingCount! >= before) return refuse(answer);
    before = answer.missingCount!;
    const missing = new Set(answer.missing.map(({ path, number }) => `${number} ${path}`));
    due = parts.filter(({ file, number }) => missing.has(`${number} ${file.path}`));
  }
  const seconds = (Date.now() - startedMs) / 1000;
  of.progress.update('upload', { done: 1, total: 1, unit: '', ended: `done in ${seconds.toFixed(1)} s` });
}

type CompleteAnswer = Refusal & { missing?: { path: string; number: number }[]; missingCount?: number };

async function send(of: Sending, parts: readonly Part[]): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  // Small uploads would otherwise be 0 of 0.
  const [unit, size] = total < 10e6 ? (['kB', 1e3] as const) : (['MB', 1e6] as const);
  let sent = 0;
  await mapLimited(bundles(parts), of.request.parallel, async (bundle) => {
    await sendBundle(of.client, of.uploadId, bundle, of.interrupt, (bytes) => {
      sent += bytes;
      of.progress.update('upload', { done: Math.round(sent / size), total: Math.round(total / size), unit });
    });
  });
}

async function requireUnchanged(parts: readonly Part[]): Promise<void> {
  const files = [...new Set(parts.map(({ file }) => file))];
  const unchanged = await mapLimited(files, 16, isUnchanged);
  const changed = files[unchanged.indexOf(false)];
  if (changed) {
    throw new PushforwardError(
      'SOURCE_CHANGED',
      `expected ${changed.file} to stay as it is while it is sent, got a change: upload it again once nothing writes to it`,
    );
  }
}
