import { PushforwardError } from '../../base/errors.ts';
import { sha256 } from '../../base/json.ts';
import { namelessSegment } from '../../base/relative-path.ts';
import { type BundleFiles } from '../ports.ts';
import { type FileDigest, type PriorDescription } from './description.ts';
import { DENOISER_FOLDERS, describePrior, parsePriorFile, priorInvalid, type PriorFile } from './parse.ts';

/** A bundle whose description was parsed and whose files all have the digests that prior.json states. */
export interface Bundle {
  readonly description: PriorDescription;
  /** Reads one listed file (or prior.json) and checks its digest. */
  read(path: string): Promise<Uint8Array>;
}

const MAX_JSON_BYTES = 4 * 1024 * 1024;
/** Protobuf, and so ONNX, cannot hold more in one file. */
const MAX_FILE_BYTES = 2 * 1024 ** 3 - 1;
const MAX_FILES = 64;

/** The folders that mean something: a file in one of them that prior.json does not list is an error, elsewhere it is left out. */
const FOLDERS = ['vae_encoder', 'vae_decoder', ...DENOISER_FOLDERS, 'scheduler', 'teacher'];

/**
 * Reads and checks a bundle: every listed file is read once and its digest compared.
 * @throws PRIOR_INVALID naming the file, what was expected and what was received; UNSAFE_PATH for a path that leaves the bundle
 */
export async function readBundle(files: BundleFiles): Promise<Bundle> {
  const present = new Map((await files.list()).map(({ path, bytes }) => [path, bytes]));
  const file = await readPriorFile(files, present);
  for (const [path, stated] of Object.entries(file.files)) checkEntry(path, stated, present);
  for (const path of requiredFiles(file)) {
    if (!(path in file.files))
      throw priorInvalid(`expected prior.json to list ${path}, got no such file`, 'add the file');
  }
  for (const path of present.keys()) {
    if (FOLDERS.includes(path.split('/')[0]!) && !(path in file.files)) {
      throw priorInvalid(`expected only files that prior.json lists, got ${path}`, 'list it, or take it away');
    }
  }
  const read = (path: string) => readChecked(files, path, path === 'prior.json' ? undefined : file.files[path]);
  for (const path of Object.keys(file.files)) await read(path);
  return { description: await describePrior(file, async (path) => parseJson(path, await read(path))), read };
}

/** The description alone, without reading the models. Digests of the JSON files are checked. */
export async function readDescription(files: BundleFiles): Promise<PriorDescription> {
  const file = await readPriorFile(files, new Map((await files.list()).map(({ path, bytes }) => [path, bytes])));
  return describePrior(file, async (path) => parseJson(path, await readChecked(files, path, file.files[path])));
}

async function readPriorFile(files: BundleFiles, present: ReadonlyMap<string, number>): Promise<PriorFile> {
  const bytes = present.get('prior.json');
  if (bytes === undefined) throw priorInvalid('expected prior.json in the bundle, got none', 'add the file');
  if (bytes > MAX_JSON_BYTES) throw tooLarge('prior.json', MAX_JSON_BYTES, bytes);
  return parsePriorFile(parseJson('prior.json', await files.read('prior.json')));
}

function requiredFiles({ files }: PriorFile): string[] {
  const required = ['model_index.json', 'vae_encoder/model.onnx', 'vae_encoder/config.json'];
  required.push('vae_decoder/model.onnx', 'vae_decoder/config.json');
  for (const folder of DENOISER_FOLDERS) {
    if (Object.keys(files).some((path) => path.startsWith(`${folder}/`))) {
      required.push(`${folder}/model.onnx`, `${folder}/config.json`, 'scheduler/scheduler_config.json');
    }
  }
  if (Object.keys(files).some((path) => path.startsWith('teacher/'))) {
    required.push('teacher/model.onnx', 'teacher/config.json', 'teacher/preprocessor_config.json');
  }
  if (Object.keys(files).length > MAX_FILES) {
    throw priorInvalid(
      `expected at most ${MAX_FILES} files, got ${Object.keys(files).length}`,
      'list what the prior needs',
    );
  }
  return required;
}

function checkEntry(path: string, stated: FileDigest, present: ReadonlyMap<string, number>): void {
  if (namelessSegment(path) !== null || /[\\\u0000-\u001f]/.test(path)) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected relative paths inside the bundle in prior.json, got ${JSON.stringify(path)}: correct the path`,
    );
  }
  const limit = path.endsWith('.json') ? MAX_JSON_BYTES : MAX_FILE_BYTES;
  if (stated.bytes > limit) throw tooLarge(path, limit, stated.bytes);
  const bytes = present.get(path);
  if (bytes !== stated.bytes) {
    throw priorInvalid(`expected ${stated.bytes} bytes in ${path}, got ${bytes ?? 'no file'}`, 'copy the bundle again');
  }
}

async function readChecked(files: BundleFiles, path: string, stated: FileDigest | undefined): Promise<Uint8Array> {
  if (path !== 'prior.json' && !stated) {
    throw priorInvalid(`expected a file that prior.json lists, got ${path}`, 'add the file and list it');
  }
  const bytes = await files.read(path);
  const received = sha256(bytes);
  if (stated && received !== stated.sha256) {
    throw priorInvalid(`expected ${path} with digest ${stated.sha256}, got ${received}`, 'copy the bundle again');
  }
  return bytes;
}

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw priorInvalid(`expected JSON in ${path}, got ${(cause as Error).message}`, 'correct the file', cause);
  }
}

function tooLarge(path: string, limit: number, received: number): PushforwardError {
  return priorInvalid(`expected ${path} of at most ${limit} bytes, got ${received}`, 'make the file smaller');
}
