import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(readConfig({})).toMatchObject({ host: '127.0.0.1', port: 4000, databaseUrl: null, logLevel: null });
  });

  it('reads roots of imports without empty parts', () => {
    expect(readConfig({ PUSHFORWARD_IMPORT_ROOTS: '/data:/more:' }).importRoots).toEqual(['/data', '/more']);
    expect(readConfig({ PUSHFORWARD_IMPORT_ROOTS: '' }).importRoots).toBeNull();
  });

  it('keeps the password of the database from child processes', () => {
    const { childEnvironment } = readConfig({ DATABASE_URL: 'postgres://u:secret@h/d', PATH: '/bin' });
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
    [{ PUSHFORWARD_LOCAL_PRICE_USD_PER_HOUR: '-1' }, /PRICE/],
  ])('refuses %j', (env, message) => {
    expect(() => readConfig(env)).toThrow(message);
  });
});
