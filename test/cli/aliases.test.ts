import { expect, it } from 'vitest';
import { gate, listAliases, promote, revert, setGates, showAlias } from '../../src/cli/aliases.ts';
import { answering, printed } from './support.ts';

const out = printed();

const version = (more: object) => ({
  ...{ number: 1, artifact: { id: 'a1', title: 'glyphs', state: 'KEPT' }, override: null, revertsTo: null },
  ...{ promotedBy: 'local', promotedAt: '2026-12-01T00:00:00.000Z', ...more },
});

it('reads conditions as they are said', () => {
  const w2 = { figure: 'W2', scope: 'OVERALL', against: 'NOTHING', atMost: 12 };
  expect(gate('w2 <= 12', [])).toEqual([w2]);
  expect(gate('every heldout_w2 - promoted>=-0.5', [w2 as never])).toEqual([
    w2,
    { figure: 'HELDOUT_W2', scope: 'EVERY_CLASS', against: 'PROMOTED', atLeast: -0.5 },
  ]);
  expect(() => gate('foo <= 1', [])).toThrow('expected a figure of w2, heldout_w2,');
  for (const text of ['', 'w2', 'w2 < 12', 'w2 <= much', '<= 12'])
    expect(() => gate(text, [])).toThrow('expected a condition such as "w2 <= 12"');
});

it('lists aliases, and says how to make the first', async () => {
  const pageInfo = { hasNextPage: false };
  await listAliases(answering({ Aliases: { aliases: { nodes: [], pageInfo } } }));
  expect(out.lines).toEqual(['No aliases yet. `pushforward promote RUN --to production` makes one.']);
  const gates = [{ figure: 'W2', scope: 'EVERY_CLASS', against: 'PROMOTED', atMost: 0.1, atLeast: null }];
  const nodes = [
    { name: 'production', gates, current: version({ number: 3 }) },
    { name: 'staging', gates: [], current: null },
  ];
  await listAliases(answering({ Aliases: { aliases: { nodes, pageInfo } } }));
  expect(out.lines.slice(-2).map((line) => line.replace(/ +/g, ' ').trim())).toEqual([
    'production 3 a1 2026-12-01T00:00:00.000Z every w2 - promoted <= 0.1',
    'staging nothing was promoted yet',
  ]);
});

it('tells what an alias stood for, and why', async () => {
  const nodes = [version({ number: 2, revertsTo: 1 }), version({ override: 'a test' })];
  await showAlias(
    answering({ Alias: { alias: { gates: [], versions: { nodes, pageInfo: { hasNextPage: false } } } } }),
    'production',
  );
  expect(out.lines[0]).toBe('Gates: none');
  expect(out.lines.at(-2)).toContain('back to version 1');
  expect(out.lines.at(-1)).toContain('past its gates: a test');
  await expect(showAlias(answering({ Alias: { alias: null } }), 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

it('promotes what a run made, says what gates say, and goes back', async () => {
  const run = {
    state: 'SUCCEEDED',
    outputs: [
      { kind: 'report', id: 'r' },
      { kind: 'syntheticDataset', id: 'a1' },
    ],
  };
  const client = answering({
    ...{ Run: { run }, PromoteArtifact: { promoteArtifact: { reused: false, version: { number: 4 } } } },
    GateReport: { gateReport: { passed: false, summary: ['not passed: W2 is 2, expected at most 1'] } },
    RevertAlias: { revertAlias: { version: { number: 5, revertsTo: 3, artifact: { id: 'a0' } } } },
  });
  await promote(client, 'run_1', { to: 'production' });
  expect(client.sent.at(-1)).toEqual([
    'PromoteArtifact',
    { alias: 'production', artifactId: 'a1', override: undefined },
  ]);
  expect(out.lines).toEqual(['production stands for a1, as its version 4.']);
  await promote(client, 'a7', { to: 'production', dryRun: true });
  expect(client.sent.at(-1)).toEqual(['GateReport', { alias: 'production', artifactId: 'a7' }]);
  expect(out.lines.at(-1)).toBe('It may not be promoted to production.');
  await revert(client, 'production');
  expect(out.lines.at(-1)).toBe('production stands for a0 again, that of version 3, as its version 5.');
  const unfinished = answering({ Run: { run: { state: 'RUNNING', outputs: [] } } });
  await expect(promote(unfinished, 'run_1', { to: 'production' })).rejects.toThrow(
    'which is RUNNING: name one that is SUCCEEDED',
  );
});

it('sets gates or none, and not both', async () => {
  const gates = gate('cost <= 5', []);
  const client = answering({ SetAliasGates: { setAliasGates: { alias: { gates } } } });
  await setGates(client, 'production', { gate: gates });
  expect(out.lines).toEqual(['A promotion to production has to pass: cost <= 5']);
  await expect(setGates(client, 'production', { gate: gates, none: true })).rejects.toThrow('got both');
  await expect(setGates(client, 'production', { gate: [] })).rejects.toThrow('got neither');
});
