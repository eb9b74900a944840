import { type Command, InvalidArgumentError } from 'commander';
import { invalid, notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { atLeastOne, onService, withUrl } from './options.ts';
import { table } from './table.ts';

/** `aliases`, `promote` and `revert`: what names such as `production` stand for. */
export function addAliases(program: Command, host: Parameters<typeof onService>[0]): void {
  const aliases = program
    .command('aliases')
    .description('Names such as production that stand for a synthetic dataset.');
  withUrl(aliases.command('list', { isDefault: true }).description('What they stand for now.')).action(
    (options: { url?: string }) => onService(host, options.url, listAliases),
  );
  withUrl(aliases.command('show').description('What an alias stands for and stood for.').argument('<alias>')).action(
    (name: string, options: { url?: string }) => onService(host, options.url, (client) => showAlias(client, name)),
  );
  withUrl(
    aliases
      .command('gates')
      .description('Set what promotions to an alias have to pass, instead of its gates before.')
      .argument('<alias>'),
  )
    .option(
      '--gate <condition>',
      'such as "w2 <= 12", "every w2 <= 14" (each class) or "w2 - promoted <= 0.1" (more than what is promoted); may be repeated. Figures: ' +
        FIGURES.join(', '),
      gate,
      [],
    )
    .option('--none', 'anything may be promoted')
    .action((name: string, { url, ...options }: GateOptions & { url?: string }) =>
      onService(host, url, (client) => setGates(client, name, options)),
    );
  withUrl(
    program
      .command('promote')
      .description('Make an alias stand for a synthetic dataset, where the gates of the alias let it through.')
      .argument('<run-or-dataset>', 'a run, or the synthetic dataset that it made'),
  )
    .requiredOption('--to <alias>', 'such as production')
    .option('--override <reason>', 'why it may pass gates that do not let it through')
    .option('--dry-run', 'only tell what the gates say')
    .action((id: string, { url, ...options }: PromoteOptions & { url?: string }) =>
      onService(host, url, (client) => promote(client, id, options)),
    );
  withUrl(
    program.command('revert').description('Make an alias stand for what it stood for before.').argument('<alias>'),
  )
    .option('--to <number>', 'the version to go back to; default: the one before', atLeastOne)
    .action((name: string, options: { url?: string; to?: number }) =>
      onService(host, options.url, (client) => revert(client, name, options.to)),
    );
}

interface GateOptions {
  gate: Gate[];
  none?: boolean;
}

interface Gate {
  figure: string;
  scope: 'OVERALL' | 'EVERY_CLASS';
  against: 'NOTHING' | 'PROMOTED';
  atMost?: number | null;
  atLeast?: number | null;
}

interface Version {
  number: number;
  artifact: { id: string; title: string; state: string };
  override: string | null;
  revertsTo: number | null;
  promotedBy: string;
  promotedAt: string;
}

const FIGURES = [
  ...['w2', 'heldout_w2', 'w2_decoded', 'reduction', 'reduction_balanced', 'reduction_d4m'],
  ...['ess', 'nearest_ratio', 'cost', 'images'],
];

/** @throws InvalidArgumentError */
export function gate(text: string, before: readonly Gate[]): Gate[] {
  const parts = /^\s*(every\s+)?([a-z0-9_]+)\s*(-\s*promoted\s*)?(<=|>=)\s*(\S+)\s*$/i.exec(text);
  const bound = Number(parts?.[5]);
  if (!parts || Number.isNaN(bound)) {
    throw new InvalidArgumentError(`expected a condition such as "w2 <= 12", got ${JSON.stringify(text)}`);
  }
  const [, every, figure, promoted, sign] = parts;
  if (!FIGURES.includes(figure!.toLowerCase())) {
    throw new InvalidArgumentError(`expected a figure of ${FIGURES.join(', ')}, got ${figure}`);
  }
  const found: Gate = {
    figure: figure!.toUpperCase(),
    scope: every ? 'EVERY_CLASS' : 'OVERALL',
    against: promoted ? 'PROMOTED' : 'NOTHING',
    ...(sign === '<=' ? { atMost: bound } : { atLeast: bound }),
  };
  return [...before, found];
}

function gateText({ figure, scope, against, atMost, atLeast }: Gate): string {
  const of = `${scope === 'EVERY_CLASS' ? 'every ' : ''}${figure.toLowerCase()}${against === 'PROMOTED' ? ' - promoted' : ''}`;
  const bounds = [
    typeof atLeast === 'number' ? [`>= ${atLeast}`] : [],
    typeof atMost === 'number' ? [`<= ${atMost}`] : [],
  ];
  return bounds
    .flat()
    .map((bound) => `${of} ${bound}`)
    .join(', ');
}

export async function listAliases(client: ApiClient): Promise<void> {
  const { aliases } = await client.send<{
    aliases: { nodes: { name: string; gates: Gate[]; current: Version | null }[]; pageInfo: { hasNextPage: boolean } };
  }>('Aliases', { first: 100 });
  if (aliases.nodes.length === 0) {
    return console.log('No aliases yet. `pushforward promote RUN --to production` makes one.');
  }
  const rows = aliases.nodes.map(({ name, gates, current }) => [
    ...[name, current ? String(current.number) : '', current?.artifact.id ?? 'nothing was promoted yet'],
    ...[current?.promotedAt ?? '', gates.map(gateText).join('; ')],
  ]);
  console.log(table(['alias', 'version', 'synthetic dataset', 'since', 'gates'], rows));
  if (aliases.pageInfo.hasNextPage) console.log('There are more than 100; ask the API for the others.');
}

export async function showAlias(client: ApiClient, name: string): Promise<void> {
  const { alias } = await client.send<{
    alias: { gates: Gate[]; versions: { nodes: Version[]; pageInfo: { hasNextPage: boolean } } } | null;
  }>('Alias', { name, first: 100 });
  if (!alias) throw notFound('alias', name);
  console.log(`Gates: ${alias.gates.length === 0 ? 'none' : alias.gates.map(gateText).join('; ')}`);
  if (alias.versions.nodes.length === 0) return console.log('Nothing was promoted yet.');
  const rows = alias.versions.nodes.map((version) => [
    ...[String(version.number), version.artifact.id, version.promotedAt, version.promotedBy, whyOf(version)],
  ]);
  console.log(table(['version', 'synthetic dataset', 'promoted', 'by', ''], rows));
  if (alias.versions.pageInfo.hasNextPage) console.log('There are more than 100; ask the API for the others.');
}

function whyOf({ override, revertsTo }: Version): string {
  if (revertsTo !== null) return `back to version ${revertsTo}`;
  return override === null ? '' : `past its gates: ${override}`;
}

export async function setGates(client: ApiClient, alias: string, { gate: gates, none }: GateOptions): Promise<void> {
  if (Boolean(none) === gates.length > 0) {
    throw invalid(`expected either --gate or --none, got ${none ? 'both' : 'neither'}: see --help`);
  }
  const { setAliasGates } = await client.send<{ setAliasGates: Refusal & { alias: { gates: Gate[] } } }>(
    'SetAliasGates',
    { alias, gates },
  );
  refuse(setAliasGates);
  const set = setAliasGates.alias.gates.map(gateText).join('; ');
  console.log(set === '' ? `Anything may be promoted to ${alias}.` : `A promotion to ${alias} has to pass: ${set}`);
}

interface PromoteOptions {
  to: string;
  override?: string;
  dryRun?: boolean;
}

export async function promote(client: ApiClient, id: string, { to, override, dryRun }: PromoteOptions): Promise<void> {
  const artifactId = await syntheticDatasetOf(client, id);
  if (dryRun) {
    const { gateReport } = await client.send<{ gateReport: { passed: boolean; summary: string[] } }>('GateReport', {
      ...{ alias: to, artifactId },
    });
    for (const line of gateReport.summary) console.log(line);
    return console.log(gateReport.passed ? `It may be promoted to ${to}.` : `It may not be promoted to ${to}.`);
  }
  const { promoteArtifact: answer } = await client.send<{
    promoteArtifact: Refusal & { reused: boolean; version: { number: number } };
  }>('PromoteArtifact', { alias: to, artifactId, override });
  refuse(answer);
  const { reused, version } = answer;
  console.log(`${to} stands for ${artifactId}${reused ? ' already' : ''}, as its version ${version.number}.`);
}

/** @returns the id of what a run made; any other id as it is */
async function syntheticDatasetOf(client: ApiClient, id: string): Promise<string> {
  if (!id.startsWith('run_')) return id;
  const { run } = await client.send<{
    run: { kind: string; state: string; outputs: { kind: string; id: string }[] } | null;
  }>('Run', { id, urls: false });
  if (!run) throw notFound('run', id);
  if (run.kind === 'DRIFT') {
    throw invalid(
      `expected a run that made a synthetic dataset, got ${id}, which measured drift: name one that distilled`,
    );
  }
  const made = run.outputs.find(({ kind }) => kind === 'syntheticDataset');
  if (made) return made.id;
  throw invalid(
    `expected a run that made a synthetic dataset, got ${id}, which is ${run.state}: name one that is SUCCEEDED`,
  );
}

export async function revert(client: ApiClient, alias: string, toNumber?: number): Promise<void> {
  const { revertAlias } = await client.send<{
    revertAlias: Refusal & { version: { number: number; revertsTo: number; artifact: { id: string } } };
  }>('RevertAlias', { alias, toNumber });
  refuse(revertAlias);
  const { number, revertsTo, artifact } = revertAlias.version;
  console.log(`${alias} stands for ${artifact.id} again, that of version ${revertsTo}, as its version ${number}.`);
}
