/** deploy/compose.yaml, read by the library that `docker compose` reads it with. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { composeSpec, run } from '../support/deploy/tools.ts';
import { goMissing, sayIfGoMissing } from '../support/go.ts';
import { ROOT } from '../support/service-process.ts';

sayIfGoMissing('the tests of the compose file');

const DEPLOY = join(ROOT, 'deploy');
/** Made up; each is told from the others. */
const FILLED: Record<string, string> = {
  POSTGRES_PASSWORD: 'postgres0password',
  S3_ACCESS_KEY: 'access0key',
  S3_SECRET_KEY: 'secret0key',
  SIGNING_SECRET: 'signing0secret0of0more0than032characters',
  GATEWAY_USER: 'somebody',
  GATEWAY_PASSWORD_HASH: "'$2a$14$abcdefghijklmnopqrstuv'",
};

interface ComposeService {
  image: string;
  environment?: Record<string, string>;
  ports?: { host_ip?: string; target: number; published: string }[];
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  network_mode?: string;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
  build?: { context: string; dockerfile: string };
  command?: string[];
}

describe.skipIf(goMissing)('the compose file', () => {
  let folder: string;
  let services: Record<string, ComposeService>;
  let volumes: Record<string, unknown>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-compose-'));
    await copyFile(join(DEPLOY, 'compose.yaml'), join(folder, 'compose.yaml'));
    ({ services, volumes } = await model());
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function model(without?: string) {
    const example = await readFile(join(DEPLOY, 'example.env'), 'utf8');
    const filled = example.replaceAll(/^(\w+)=$/gm, (line, name: string) =>
      name === without ? line : line + FILLED[name],
    );
    await writeFile(join(folder, '.env'), filled);
    const env = { PATH: process.env['PATH'] };
    const text = await run(await composeSpec(), ['compose.yaml'], { cwd: folder, env });
    return JSON.parse(text) as { services: Record<string, ComposeService>; volumes: Record<string, unknown> };
  }

  it('has what a deployment is made of', () => {
    expect(Object.keys(services).sort()).toEqual(
      ['bucket', 'collector', 'folders', 'gateway', 'jaeger', 'migrate', 'postgres', 'service', 'store'].sort(),
    );
    expect(Object.keys(volumes).sort()).toEqual(['database', 'objects', 'state']);
  });

  it('has no default for a secret: each that is empty is told', async () => {
    const example = await readFile(join(DEPLOY, 'example.env'), 'utf8');
    const asked = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!] as const);
    expect(asked.map(([name]) => name)).toEqual(Object.keys(FILLED));
    for (const [, value] of asked) expect(value).toBe('');
    for (const [name] of asked) {
      await expect(model(name)).rejects.toThrow(new RegExp(`required variable ${name} is missing a value`));
    }
  });

  it('publishes ports on the loopback address alone, and the API through the gateway alone', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => ({ name, ...port })),
    );
    expect(published.map(({ name, target }) => `${name} ${target}`).sort()).toEqual(
      ['jaeger 16686', 'service 8080', 'store 7070'].sort(),
    );
    for (const { host_ip } of published) expect(host_ip).toBe('127.0.0.1');
    expect(services['gateway']!.network_mode).toBe('service:service');
  });

  it('gives nobody more rights than it needs', () => {
    for (const [name, service] of Object.entries(services)) {
      expect([name, service.cap_drop]).toEqual([name, ['ALL']]);
      expect([name, service.security_opt]).toEqual([name, ['no-new-privileges:true']]);
      expect([name, service.read_only ?? false]).toEqual([name, name !== 'postgres']);
      expect([name, service.image]).toEqual([name, expect.stringMatching(/:v?\d+\.\d+(\.\d+)?(-\w+)?$/)]);
    }
    const added = Object.entries(services).filter(([, { cap_add }]) => cap_add);
    expect(added.map(([name]) => name).sort()).toEqual(['gateway', 'postgres']);
  });

  it('starts each when what it needs is there', () => {
    const conditions = Object.fromEntries(
      Object.entries(services).map(([name, { depends_on = {} }]) => [
        name,
        Object.fromEntries(Object.entries(depends_on).map(([on, { condition }]) => [on, condition])),
      ]),
    );
    expect(conditions['migrate']).toEqual({ postgres: 'service_healthy' });
    expect(conditions['service']).toMatchObject({
      migrate: 'service_completed_successfully',
      bucket: 'service_completed_successfully',
    });
    for (const on of Object.values(conditions)) {
      for (const [name, condition] of Object.entries(on)) {
        // The image of the service brings a check of its own.
        if (condition === 'service_healthy' && name !== 'service')
          expect(services[name]!.healthcheck?.test).toBeTruthy();
      }
    }
  });

  it('gives settings that the service takes, and a database that agrees with it', () => {
    const environment = services['service']!.environment!;
    expect(readConfig(environment)).toMatchObject({
      migrate: 'off',
      publicUrl: null,
      signingSecret: FILLED['SIGNING_SECRET'],
      store: { kind: 's3', bucket: 'pushforward', endpoint: 'http://store.localhost:7070', pathStyle: true },
      otlpEndpoint: 'http://collector:4318',
    });
    const url = new URL(environment['DATABASE_URL']!);
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = services['postgres']!.environment!;
    expect([url.username, url.password, url.hostname, url.pathname]).toEqual([
      POSTGRES_USER,
      POSTGRES_PASSWORD,
      'postgres',
      `/${POSTGRES_DB}`,
    ]);
    expect(services['migrate']).toMatchObject({ command: ['migrate'], environment: { DATABASE_URL: url.href } });
    expect(services['gateway']!.environment!['GATEWAY_PASSWORD_HASH']).toBe('$2a$14$abcdefghijklmnopqrstuv');
  });

  it('mounts files that are there', async () => {
    for (const { volumes: mounts = [] } of Object.values(services)) {
      for (const { type, source } of mounts) {
        if (type === 'bind') await readFile(source.replace(folder, DEPLOY));
        else expect(Object.keys(volumes)).toContain(source);
      }
    }
    const { context, dockerfile } = services['service']!.build!;
    await readFile(join(context.replace(join(folder, '..'), ROOT), dockerfile));
  });
});

it('the collector hands on what it takes, by parts that are described', async () => {
  const config = parse(await readFile(join(DEPLOY, 'config/otel-collector.yaml'), 'utf8')) as Record<string, object>;
  const { pipelines } = config['service'] as { pipelines: Record<string, Record<string, string[]>> };
  expect(Object.keys(pipelines)).toEqual(['traces', 'metrics']);
  for (const pipeline of Object.values(pipelines)) {
    for (const [kind, names] of Object.entries(pipeline)) {
      expect(Object.keys(config[kind]!)).toEqual(expect.arrayContaining(names));
    }
    // Its memory is bounded before anything is gathered.
    expect(pipeline['processors']).toEqual(['memory_limiter', 'batch']);
  }
});
