import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(readConfig({})).toMatchObject({ host: '127.0.0.1', port: 4000, databaseUrl: null, logLevel: null });
  });

  it('shares with workers in pods where the store is, and nothing secret', () => {
    const env = {
      PUSHFORWARD_STORE: 's3://bucket',
      AWS_REGION: 'eu-west-1',
      AWS_SECRET_ACCESS_KEY: 'secret',
      DATABASE_URL: 'postgres://user:password@host/db',
    };
    expect(readConfig(env).kubernetes.workerEnv).toEqual({ PUSHFORWARD_STORE: 's3://bucket', AWS_REGION: 'eu-west-1' });
    expect(readConfig({ PUSHFORWARD_CALLBACK_URL: 'http://service:4000/' }).kubernetes.callbackUrl).toBe(
      'http://service:4000',
    );
    expect(() => readConfig({ PUSHFORWARD_EXECUTOR: 'swarm' })).toThrow('PUSHFORWARD_EXECUTOR');
  });

  it('knows a worker in a pod by its order', () => {
    expect(readConfig({}).podTask).toBeNull();
    expect(readConfig({ PUSHFORWARD_TASK: 'projects/p/orders/job', JOB_COMPLETION_INDEX: '7' }).podTask).toEqual({
      ordersFolder: 'projects/p/orders/job',
      index: 7,
      terminationMessagePath: '/dev/termination-log',
    });
  });

  it('lets retention pause from a minute on', () => {
    expect(readConfig({}).retentionEveryMs).toBe(3_600_000);
    expect(readConfig({ PUSHFORWARD_RETENTION_MINUTES: '5' }).retentionEveryMs).toBe(300_000);
    expect(() => readConfig({ PUSHFORWARD_RETENTION_MINUTES: '0' })).toThrow('PUSHFORWARD_RETENTION_MINUTES');
  });

  it('reads roots of imports without empty parts', () => {
    expect(readConfig({ PUSHFORWARD_IMPORT_ROOTS: '/data:/more:' }).importRoots).toEqual(['/data', '/more']);
    expect(readConfig({ PUSHFORWARD_IMPORT_ROOTS: '' }).importRoots).toBeNull();
  });

  it.each([
    ['s3://photos', ['s3://photos']],
    ['/data:s3://photos/team/x:/more', ['/data', 's3://photos/team/x', '/more']],
    ['s3://photos/a:s3://other-photos:', ['s3://photos/a', 's3://other-photos']],
    ['/s3:s3://photos:/data', ['/s3', 's3://photos', '/data']],
    ['/odd://path', ['/odd', '/path']],
  ])('reads prefixes of buckets among the roots of imports: %s', (text, roots) => {
    expect(readConfig({ PUSHFORWARD_IMPORT_ROOTS: text }).importRoots).toEqual(roots);
  });

  it('reaches S3 for sources as it does for the store, also where the store is a directory', () => {
    expect(readConfig({}).s3).toEqual({ endpoint: null, pathStyle: false, checksums: 'WHEN_SUPPORTED' });
    const env = { PUSHFORWARD_S3_ENDPOINT: 'http://localhost:9000', PUSHFORWARD_S3_CHECKSUMS: 'WHEN_REQUIRED' };
    const s3 = { endpoint: 'http://localhost:9000', pathStyle: true, checksums: 'WHEN_REQUIRED' };
    expect(readConfig(env)).toMatchObject({ store: { kind: 'directory' }, s3 });
    expect(readConfig({ ...env, PUSHFORWARD_STORE: 's3://my-bucket' }).store).toMatchObject(s3);
  });

  it('keeps objects in a directory, or in a bucket with what is said of it', () => {
    expect(readConfig({}).store).toEqual({ kind: 'directory' });
    expect(readConfig({ PUSHFORWARD_STORE: 'directory' }).store).toEqual({ kind: 'directory' });
    expect(readConfig({ PUSHFORWARD_STORE: 's3://my-bucket' }).store).toEqual({
      kind: 's3',
      bucket: 'my-bucket',
      prefix: '',
      endpoint: null,
      pathStyle: false,
      checksums: 'WHEN_SUPPORTED',
      encryption: null,
    });
    const env = {
      PUSHFORWARD_STORE: 's3://my-bucket/team/distilled/',
      PUSHFORWARD_S3_ENDPOINT: 'http://localhost:9000',
      PUSHFORWARD_S3_CHECKSUMS: 'WHEN_REQUIRED',
      PUSHFORWARD_S3_SSE: 'aws:kms=arn:aws:kms:eu-west-1:1:key/2',
    };
    expect(readConfig(env).store).toEqual({
      kind: 's3',
      bucket: 'my-bucket',
      prefix: 'team/distilled',
      endpoint: 'http://localhost:9000',
      pathStyle: true,
      checksums: 'WHEN_REQUIRED',
      encryption: { algorithm: 'aws:kms', keyId: 'arn:aws:kms:eu-west-1:1:key/2' },
    });
    expect(readConfig({ ...env, PUSHFORWARD_S3_PATH_STYLE: 'false' }).store).toMatchObject({ pathStyle: false });
  });

  it('is reached at a name of its own, and probed on a port of its own, where it is told to', () => {
    expect(readConfig({})).toMatchObject({ publicUrl: null, probePort: null, migrate: 'auto', signingSecret: null });
    expect(readConfig({ PUSHFORWARD_PUBLIC_URL: 'https://p.example.org/' }).publicUrl).toBe('https://p.example.org');
    const env = {
      PUSHFORWARD_PROBE_PORT: '9090',
      PUSHFORWARD_MIGRATE: 'off',
      PUSHFORWARD_SIGNING_SECRET: 'x'.repeat(32),
    };
    expect(readConfig(env)).toMatchObject({
      probePort: 9090,
      migrate: 'off',
      signingSecret: env.PUSHFORWARD_SIGNING_SECRET,
    });
  });

  it('reads where OpenLineage events go, under the names that its clients have', () => {
    expect(readConfig({}).openLineage).toEqual({ namespace: 'pushforward', http: null, filePath: null });
    const env = {
      OPENLINEAGE_URL: 'http://marquez:5000',
      OPENLINEAGE_API_KEY: 'key',
      OPENLINEAGE_NAMESPACE: 'ml',
      PUSHFORWARD_OPENLINEAGE_COMPRESSION: 'gzip',
      PUSHFORWARD_OPENLINEAGE_FILE: 'events.ndjson',
    };
    expect(readConfig(env).openLineage).toEqual({
      namespace: 'ml',
      http: { url: 'http://marquez:5000', endpoint: 'api/v1/lineage', apiKey: 'key', compression: 'gzip' },
      filePath: resolve('events.ndjson'),
    });
    expect(readConfig({ ...env, OPENLINEAGE_ENDPOINT: 'lineage' }).openLineage.http!.endpoint).toBe('lineage');
    expect(readConfig({ ...env, OPENLINEAGE_DISABLED: 'true' }).openLineage).toMatchObject({
      http: null,
      filePath: null,
    });
  });

  it('reads where webhooks may go beside public addresses', () => {
    expect(readConfig({}).webhookAllow).toEqual([]);
    expect(readConfig({ PUSHFORWARD_WEBHOOK_ALLOW: '10.1.0.0/16, fd00::/8,' }).webhookAllow).toEqual([
      ...['10.1.0.0/16', 'fd00::/8'],
    ]);
  });

  it('keeps the password of the database and the secret from child processes', () => {
    const { childEnvironment } = readConfig({
      DATABASE_URL: 'postgres://u:secret@h/d',
      PUSHFORWARD_SIGNING_SECRET: 'secret'.repeat(6),
      OPENLINEAGE_API_KEY: 'secret',
      PATH: '/bin',
    });
    expect(childEnvironment).toMatchObject({ PATH: '/bin' });
    expect(JSON.stringify(childEnvironment)).not.toContain('secret');
  });

  it.each([
    [{ PORT: 'abc' }, /expected PORT to be a whole number from 0 to 65535, got abc/],
    [{ PORT: '70000' }, /PORT/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL to be one of debug, info, warn, error, got loud/],
    [{ DATABASE_URL: 'mysql://u:secret@h' }, /DATABASE_URL to be a URL that begins with postgres:\/\/(?!.*secret)/],
    [{ DATABASE_URL: 'garbage' }, /DATABASE_URL/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'nourl' }, /OTEL_EXPORTER_OTLP_ENDPOINT/],
    [{ PUSHFORWARD_STORE: 'gs://bucket' }, /PUSHFORWARD_STORE to be directory or s3:\/\/bucket\/prefix, got gs:/],
    [{ PUSHFORWARD_STORE: 's3://No_Bucket' }, /PUSHFORWARD_STORE/],
    [{ PUSHFORWARD_IMPORT_ROOTS: '/data:s3://No_Bucket' }, /PUSHFORWARD_IMPORT_ROOTS.*got s3:\/\/No_Bucket/],
    [{ PUSHFORWARD_S3_ENDPOINT: 'localhost' }, /PUSHFORWARD_S3_ENDPOINT/],
    [{ PUSHFORWARD_STORE: 's3://bucket', PUSHFORWARD_S3_SSE: 'AES256=key' }, /PUSHFORWARD_S3_SSE/],
    [{ PUSHFORWARD_STORE: 's3://bucket', PUSHFORWARD_S3_PATH_STYLE: 'yes' }, /PUSHFORWARD_S3_PATH_STYLE/],
    [{ PUSHFORWARD_STORE: 's3://bucket', PUSHFORWARD_S3_CHECKSUMS: 'no' }, /PUSHFORWARD_S3_CHECKSUMS/],
    [{ PUSHFORWARD_PUBLIC_URL: 'https://example.org/pushforward' }, /PUSHFORWARD_PUBLIC_URL to end with its host/],
    [{ PUSHFORWARD_PROBE_PORT: 'http' }, /PUSHFORWARD_PROBE_PORT/],
    [{ PUSHFORWARD_MIGRATE: 'on' }, /PUSHFORWARD_MIGRATE to be one of auto, off/],
    [
      { PUSHFORWARD_SIGNING_SECRET: 'short' },
      /PUSHFORWARD_SIGNING_SECRET to have 32 characters or more, got 5(?!.*short)/,
    ],
    [{ PUSHFORWARD_LOCAL_PRICE_USD_PER_HOUR: '-1' }, /PRICE/],
    [{ OPENLINEAGE_URL: 'marquez:5000' }, /OPENLINEAGE_URL to be a URL/],
    [{ OPENLINEAGE_URL: 'http://user:secret@marquez' }, /OPENLINEAGE_URL without user and password(?!.*secret)/],
    [{ PUSHFORWARD_OPENLINEAGE_COMPRESSION: 'zip' }, /PUSHFORWARD_OPENLINEAGE_COMPRESSION to be one of none, gzip/],
  ])('refuses %j', (env, message) => {
    expect(() => readConfig(env)).toThrow(message);
  });
});
