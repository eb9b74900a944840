import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Encryption, type S3Service, type StoreSettings } from './adapters/storage/index.ts';
import { invalid } from './base/errors.ts';
import { parseS3Url } from './base/s3-url.ts';

/** Everything the process was told from outside, parsed; units are in the names. Only this file reads the environment. */
export interface Config {
  /** Of this release. */
  version: string;
  /** Where the embedded database, the directory store and the logs live. */
  stateDir: string;
  host: string;
  port: number;
  /**
   * Where clients reach the API through a proxy that authenticates, such as `https://pushforward.example.org`: its name is
   * taken in the Host and Origin headers, and links are made with it. Absent: only names of this machine are.
   */
  publicUrl: string | null;
  /** Serves /healthz, /readyz and /metrics, and nothing else, on every address of the machine. Absent: only beside the API. */
  probePort: number | null;
  /** Absent: the embedded PostgreSQL under `stateDir`. */
  databaseUrl: string | null;
  /** `off`: a database that is not migrated to this release is refused at the start. */
  migrate: 'auto' | 'off';
  /** Signs download URLs; the same for every replica. Absent: one that is made in `stateDir`. */
  signingSecret: string | null;
  /** Where the objects lie: a directory under `stateDir`, or a bucket. */
  store: StoreSettings;
  /** How S3 is reached, for the store and for `s3://` sources alike. */
  s3: S3Service;
  /** Folders and `s3://` prefixes that imports in place may read. Absent: anywhere (embedded mode, loopback only). */
  importRoots: string[] | null;
  uploads: {
    /** Of the files of one upload together. */
    maxBytes: number;
    /** How long an upload lives that nobody sends parts of, and one that no import uses. */
    keepMs: number;
  };
  /** Absent: `info` for a service of its own, `error` for one that a command starts. */
  logLevel: 'debug' | 'info' | 'warn' | 'error' | null;
  /** OTLP over HTTP; absent: no export. */
  otlpEndpoint: string | null;
  openLineage: {
    /** Of jobs. */
    namespace: string;
    /** Absent: events are posted nowhere. */
    http: { url: string; endpoint: string; apiKey: string | null; compression: 'none' | 'gzip' } | null;
    /** Events are appended to it. Absent: to none. */
    filePath: string | null;
  };
  /** Ranges of addresses that webhooks may be sent to though they are not public, without TLS as well. */
  webhookAllow: string[];
  local: {
    /** Worker processes at once. */
    slots: number;
    /** Price of one slot, US dollars per hour. */
    priceUsdPerHour: number;
  };
  executor: 'local' | 'kubernetes';
  kubernetes: {
    /** Absent: the service account of the pod that the service runs in. */
    kubeconfig: string | null;
    namespace: string;
    /** Tells this service's Jobs from those of another in the same namespace. */
    instance: string;
    /** Image of the workers. */
    image: string;
    /** Path of the file of executor classes. */
    classesPath: string;
    /** Where pods reach this service; absent: they do not, and progress is told by whole tasks. */
    callbackUrl: string | null;
    /** Settings that workers share with the service. What is secret comes from the cluster's secrets. */
    workerEnv: Record<string, string>;
  };
  /** Set in a worker's pod: which order it carries out. */
  podTask: { ordersFolder: string; index: number; terminationMessagePath: string } | null;
  lease: { durationMs: number; renewEveryMs: number };
  releaseDeadlineMs: number;
  maxAttempts: number;
  /** Between the passes that delete what no policy keeps. */
  retentionEveryMs: number;
  /** For tests: the folder whose files name the places where processes kill themselves, see base/crash-points.ts. */
  crashPointsDir: string | null;
  /** What child processes inherit: everything but the password of the database, the secret and the key of the receiver, which workers never see. */
  childEnvironment: Record<string, string | undefined>;
}

export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return {
    version,
    stateDir: resolve(env['PUSHFORWARD_STATE_DIR'] ?? '.pushforward'),
    host: env['HOST'] ?? '127.0.0.1',
    port: integer(env, 'PORT', 4000, 0, 65535),
    publicUrl: publicUrl(env),
    probePort: env['PUSHFORWARD_PROBE_PORT'] ? integer(env, 'PUSHFORWARD_PROBE_PORT', 0, 0, 65535) : null,
    databaseUrl: url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    migrate: oneOf(env, 'PUSHFORWARD_MIGRATE', ['auto', 'off']) ?? 'auto',
    signingSecret: signingSecret(env),
    store: store(env),
    s3: s3Service(env),
    importRoots: importRoots(env['PUSHFORWARD_IMPORT_ROOTS']),
    uploads: {
      maxBytes: integer(env, 'PUSHFORWARD_UPLOAD_MAX_BYTES', 1024 ** 4, 1, Number.MAX_SAFE_INTEGER),
      keepMs: integer(env, 'PUSHFORWARD_UPLOAD_KEEP_HOURS', 72, 1, 24 * 365) * 3_600_000,
    },
    logLevel: oneOf(env, 'LOG_LEVEL', ['debug', 'info', 'warn', 'error']),
    otlpEndpoint: url(env, 'OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']),
    openLineage: openLineage(env),
    webhookAllow: (env['PUSHFORWARD_WEBHOOK_ALLOW'] ?? '').split(',').flatMap((range) => range.trim() || []),
    local: {
      slots: integer(env, 'PUSHFORWARD_LOCAL_SLOTS', Math.max(1, Math.min(8, availableParallelism())), 1, 256),
      priceUsdPerHour: number(env, 'PUSHFORWARD_LOCAL_PRICE_USD_PER_HOUR', 0.05),
    },
    executor: oneOf(env, 'PUSHFORWARD_EXECUTOR', ['local', 'kubernetes']) ?? 'local',
    kubernetes: {
      kubeconfig: env['KUBECONFIG'] || null,
      namespace: env['PUSHFORWARD_KUBERNETES_NAMESPACE'] || 'default',
      instance: env['PUSHFORWARD_KUBERNETES_INSTANCE'] || 'pushforward',
      image: env['PUSHFORWARD_KUBERNETES_IMAGE'] ?? '',
      classesPath: env['PUSHFORWARD_EXECUTOR_CLASSES'] ?? '',
      callbackUrl: url(env, 'PUSHFORWARD_CALLBACK_URL', ['http:', 'https:'])?.replace(/\/+$/, '') ?? null,
      workerEnv: Object.fromEntries(WORKER_SETTINGS.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []))),
    },
    podTask: podTask(env),
    lease: {
      durationMs: integer(env, 'PUSHFORWARD_LEASE_MS', 30_000, 1000, 3_600_000),
      renewEveryMs: integer(env, 'PUSHFORWARD_LEASE_RENEW_MS', 5_000, 100, 3_600_000),
    },
    releaseDeadlineMs: integer(env, 'PUSHFORWARD_RELEASE_DEADLINE_MS', 30_000, 100, 3_600_000),
    maxAttempts: integer(env, 'PUSHFORWARD_MAX_ATTEMPTS', 3, 1, 100),
    retentionEveryMs: 60_000 * integer(env, 'PUSHFORWARD_RETENTION_MINUTES', 60, 1, 10_000),
    crashPointsDir: env['PUSHFORWARD_CRASH_POINTS'] || null,
    childEnvironment: {
      ...env,
      DATABASE_URL: undefined,
      PUSHFORWARD_SIGNING_SECRET: undefined,
      OPENLINEAGE_API_KEY: undefined,
    },
  };
}

/** Where the store is and how it is spoken to. */
const WORKER_SETTINGS = [
  'PUSHFORWARD_STORE',
  'PUSHFORWARD_S3_ENDPOINT',
  'PUSHFORWARD_S3_PATH_STYLE',
  'PUSHFORWARD_S3_CHECKSUMS',
  'PUSHFORWARD_S3_SSE',
  'AWS_REGION',
  'LOG_LEVEL',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
];

function podTask(env: NodeJS.ProcessEnv): Config['podTask'] {
  const ordersFolder = env['PUSHFORWARD_TASK'] ?? '';
  if (ordersFolder === '') return null;
  return {
    ordersFolder,
    index: integer(env, 'JOB_COMPLETION_INDEX', 0, 0, Number.MAX_SAFE_INTEGER),
    terminationMessagePath: env['PUSHFORWARD_TERMINATION_MESSAGE'] ?? '/dev/termination-log',
  };
}

function integer(env: NodeJS.ProcessEnv, name: string, fallback: number, min: number, max: number): number {
  const text = env[name];
  const value = text === undefined || text === '' ? fallback : Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalid(`expected ${name} to be a whole number from ${min} to ${max}, got ${text}: correct the environment`);
  }
  return value;
}

function number(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw invalid(`expected ${name} to be a number of 0 or more, got ${text}: correct the environment`);
  }
  return value;
}

/** The value itself is not repeated in the error: it may hold a password. */
function url(env: NodeJS.ProcessEnv, name: string, protocols: readonly string[]): string | null {
  const text = env[name];
  if (text === undefined || text === '') return null;
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
  throw invalid(
    `expected ${name} to be a URL that begins with ${protocols.join('// or ')}//, got another: correct the environment`,
  );
}

function publicUrl(env: NodeJS.ProcessEnv): string | null {
  const text = url(env, 'PUSHFORWARD_PUBLIC_URL', ['http:', 'https:']);
  if (text === null) return null;
  const { origin, href } = new URL(text);
  if (href === `${origin}/`) return origin;
  throw invalid(
    `expected PUSHFORWARD_PUBLIC_URL to end with its host and port, got ${text}: give the service a host name of its own`,
  );
}

/** The value itself is not repeated in the error. */
function signingSecret(env: NodeJS.ProcessEnv): string | null {
  const text = env['PUSHFORWARD_SIGNING_SECRET'] ?? '';
  if (text === '') return null;
  if (text.length >= 32) return text;
  throw invalid(
    `expected PUSHFORWARD_SIGNING_SECRET to have 32 characters or more, got ${text.length}: make one with \`openssl rand -hex 32\``,
  );
}

/** Under the names that the clients of OpenLineage have, where they have one. */
function openLineage(env: NodeJS.ProcessEnv): Config['openLineage'] {
  const receiver = url(env, 'OPENLINEAGE_URL', ['http:', 'https:']);
  const compression = oneOf(env, 'PUSHFORWARD_OPENLINEAGE_COMPRESSION', ['none', 'gzip']) ?? 'none';
  const file = env['PUSHFORWARD_OPENLINEAGE_FILE'] ?? '';
  const disabled = (oneOf(env, 'OPENLINEAGE_DISABLED', ['true', 'false']) ?? 'false') === 'true';
  if (receiver !== null && (new URL(receiver).username !== '' || new URL(receiver).password !== '')) {
    throw invalid('expected OPENLINEAGE_URL without user and password, got some: set OPENLINEAGE_API_KEY instead');
  }
  return {
    namespace: env['OPENLINEAGE_NAMESPACE'] || 'pushforward',
    http:
      receiver === null || disabled
        ? null
        : {
            url: receiver,
            endpoint: env['OPENLINEAGE_ENDPOINT'] || 'api/v1/lineage',
            apiKey: env['OPENLINEAGE_API_KEY'] || null,
            compression,
          },
    filePath: file === '' || disabled ? null : resolve(file),
  };
}

function store(env: NodeJS.ProcessEnv): StoreSettings {
  const text = env['PUSHFORWARD_STORE'] ?? '';
  if (text === '' || text === 'directory') return { kind: 'directory' };
  const found = parseS3Url(text);
  if (!found) {
    throw invalid(
      `expected PUSHFORWARD_STORE to be directory or s3://bucket/prefix, got ${text}: correct the environment`,
    );
  }
  return { kind: 's3', bucket: found.bucket, prefix: found.key, ...s3Service(env), encryption: encryption(env) };
}

function s3Service(env: NodeJS.ProcessEnv): S3Service {
  const endpoint = url(env, 'PUSHFORWARD_S3_ENDPOINT', ['http:', 'https:']);
  return {
    endpoint,
    pathStyle: (oneOf(env, 'PUSHFORWARD_S3_PATH_STYLE', ['true', 'false']) ?? String(endpoint !== null)) === 'true',
    checksums: oneOf(env, 'PUSHFORWARD_S3_CHECKSUMS', ['WHEN_SUPPORTED', 'WHEN_REQUIRED']) ?? 'WHEN_SUPPORTED',
  };
}

function encryption(env: NodeJS.ProcessEnv): Encryption | null {
  const text = env['PUSHFORWARD_S3_SSE'] ?? '';
  if (text === '') return null;
  const [, algorithm, keyId] = /^(AES256|aws:kms|aws:kms:dsse)(?:=(.+))?$/.exec(text) ?? [];
  if (algorithm === undefined || (algorithm === 'AES256' && keyId !== undefined)) {
    throw invalid(
      `expected PUSHFORWARD_S3_SSE to be AES256, aws:kms, aws:kms:dsse, or one of the last two with =KEY, got ${text}: correct the environment`,
    );
  }
  return { algorithm: algorithm as Encryption['algorithm'], keyId: keyId ?? null };
}

/** Separated by `:`, of which the one in `s3://` is none. */
function importRoots(text: string | undefined): string[] | null {
  const parts = (text ?? '').split(/(?<!(?:^|:)s3):|:(?!\/\/)/).filter((part) => part !== '');
  return parts.length > 0 ? parts.map(importRoot) : null;
}

function importRoot(text: string): string {
  if (!text.startsWith('s3://')) return resolve(text);
  if (parseS3Url(text)) return text;
  throw invalid(
    `expected each of PUSHFORWARD_IMPORT_ROOTS to be a folder or s3://bucket/prefix, got ${text}: correct the environment`,
  );
}

function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, allowed: readonly T[]): T | null {
  const text = env[name];
  if (text === undefined || text === '') return null;
  if (!(allowed as readonly string[]).includes(text)) {
    throw invalid(`expected ${name} to be one of ${allowed.join(', ')}, got ${text}: correct the environment`);
  }
  return text as T;
}
