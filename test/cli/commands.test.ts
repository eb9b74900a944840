/** What the commands refuse before the service is asked, and how they tell that it was not reached. */
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createApiClient } from '../../src/cli/client.ts';
import { distill } from '../../src/cli/distill.ts';
import { atLeastOne, between, names, whole } from '../../src/cli/options.ts';
import { createProgram, type Host } from '../../src/cli/program.ts';
import { cancelRun } from '../../src/cli/runs.ts';

const nowhere = createApiClient('http://127.0.0.1:9');

it('numbers of things begin at 1, and no name is empty', () => {
  expect(atLeastOne('3')).toBe(3);
  for (const text of ['0', '-1', '1.5', 'x', ''])
    expect(() => atLeastOne(text)).toThrow(/expected a whole number of 1/);
  expect(names('a b,c')).toEqual(['a b', 'c']);
  for (const text of ['', 'a,,b', 'a,']) expect(() => names(text)).toThrow('got an empty one');
});

it('numbers of a recipe lie between those that it takes', () => {
  expect([between(0, 0.9)('0'), between(0, 0.9)('0.9'), whole(1, 4096)('4096')]).toEqual([0, 0.9, 4096]);
  for (const text of ['-0.1', '0.91', '1', 'x', '', ' '])
    expect(() => between(0, 0.9)(text)).toThrow(`expected a number from 0 to 0.9, got ${text}`);
  for (const text of ['0', '4097', '1.5', 'x']) expect(() => whole(1, 4096)(text)).toThrow(/from 1 to 4096/);
});

it('a run has points per class or in all, not both', async () => {
  const program = createProgram({ version: '0', priorsDir: '.' } as Host);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
  const asked = program.parseAsync(['distill', 'x', '--prior', 'p', '-k', '3', '--total', '9'], { from: 'user' });
  await expect(asked).rejects.toThrow(/--total <number>.* cannot be used with option .*-k, --images-per-class/);
});

it('a run that cannot be cancelled is an error', async () => {
  const answer = { cancelRun: { __typename: 'NotFoundError', code: 'NOT_FOUND', message: 'run x does not exist' } };
  const client = { ...nowhere, send: <T>() => Promise.resolve(answer as T) };
  await expect(cancelRun(client, 'x')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'run x does not exist' });
});

it.each(['s3://bucket/images', 'upload:upl_1'])('%s is not sent anywhere', async (path) => {
  const request = {
    path,
    sendFirst: true,
    name: 'n',
    priorPath: '.',
    classes: null,
    split: null,
    recipe: {},
    out: '.',
    estimate: false,
  };
  await expect(distill(nowhere, request, new AbortController().signal)).rejects.toThrow(
    `expected a path of this machine with --upload, got ${path}: leave --upload out`,
  );
});

it('what does not answer as the service does is not taken for it', async () => {
  const server = createServer((_, response) => response.writeHead(501).end('<!DOCTYPE html>'));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(createApiClient(url).send('Runs', { first: 1 })).rejects.toThrow(
    `expected a Pushforward service at ${url}, got HTTP 501 without JSON: start one`,
  );
  await new Promise((closed) => server.close(closed));
  await expect(createApiClient(url).send('Runs', { first: 1 })).rejects.toThrow(/, got connect ECONNREFUSED .+: start/);
});
