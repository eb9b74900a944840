import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type S3Settings } from '../../src/adapters/storage/s3/settings.ts';
import { freePort } from './free-port.ts';
import { goMissing, goProgram, sayIfGoMissing } from './go.ts';
import { until } from './until.ts';

/** versitygw: an S3 server over a folder, with conditional writes and multipart uploads. */
const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';

export { goMissing };
sayIfGoMissing('the S3 server that they run against');

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface S3Server {
  endpoint: string;
  /** Holds a folder for each bucket, with a file for each object. */
  folder: string;
  /** They own every bucket. */
  owner: Credentials;
  /** They are known to the server, and may do nothing. */
  stranger: Credentials;
  /** Settings of a fresh, empty bucket. */
  bucket(): Promise<S3Settings>;
  stop(): Promise<void>;
}

/** Starts a server of its own; the first start on a machine builds it, which takes a minute or two. */
export async function startS3Server(): Promise<S3Server> {
  const binary = await install();
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-s3-'));
  const buckets = join(folder, 'buckets');
  await Promise.all([mkdir(buckets), mkdir(join(folder, 'identities'))]);
  const owner = { accessKeyId: 'owner', secretAccessKey: 'owner-secret' };
  const stranger = { accessKeyId: 'stranger', secretAccessKey: 'stranger-secret' };
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn(
    binary,
    [
      ...['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet', '--keep-alive'],
      ...['--iam-dir', join(folder, 'identities'), 'posix', buckets],
    ],
    {
      env: { ...process.env, ROOT_ACCESS_KEY: owner.accessKeyId, ROOT_SECRET_KEY: owner.secretAccessKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the S3 server ended with ${child.exitCode}:\n${output}`);
    return (await fetch(`${endpoint}/health`).catch(() => null))?.ok ?? false;
  });
  const admin = ['admin', '-a', owner.accessKeyId, '-s', owner.secretAccessKey, '--endpoint-url', endpoint];
  const user = ['-a', stranger.accessKeyId, '-s', stranger.secretAccessKey, '-r', 'user'];
  await promisify(execFile)(binary, [...admin, 'create-user', ...user]);
  let made = 0;
  return {
    endpoint,
    folder: buckets,
    owner,
    stranger,
    async bucket() {
      const bucket = `bucket-${++made}`;
      const create = [...admin, 'create-bucket', '--owner', owner.accessKeyId, '--bucket', bucket];
      await promisify(execFile)(binary, create);
      return { bucket, prefix: '', endpoint, pathStyle: true, checksums: 'WHEN_SUPPORTED', encryption: null };
    },
    async stop() {
      end(child);
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The SDK reads credentials and region from here. */
export function environmentOf({ accessKeyId, secretAccessKey }: Credentials): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1' };
}

function install(): Promise<string> {
  const recipe = `${MODULE}@${VERSION}`;
  return goProgram({
    name: 'versitygw',
    recipe,
    build: (into) => ({ args: ['install', recipe], env: { GOBIN: into } }),
  });
}

function end(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGTERM');
}
