import { InvalidArgumentError } from 'commander';
import { invalid } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { bytes, count, table } from './table.ts';

export interface PolicyOptions {
  keepDays?: number;
  keepVersions?: number;
  keepRuns?: number;
  expire?: Expiry[];
  cut?: Expiry[];
  graceHours?: number;
  keepEverything?: boolean;
}

/** `latents=30` of `--expire` and `--cut`. */
export interface Expiry {
  kind: string;
  days: number;
}

interface Policy {
  keepDays: number | null;
  keepVersions: number | null;
  keepRuns: number | null;
  kinds: (Expiry & { cutLineage: boolean })[];
  graceHours: number;
  setBy: string;
  setAt: string;
}

export async function showPolicy(client: ApiClient): Promise<void> {
  const { retentionPolicy } = await client.send<{ retentionPolicy: Policy | null }>('RetentionPolicy', {});
  console.log(described(retentionPolicy));
}

export async function setPolicy(client: ApiClient, options: PolicyOptions): Promise<void> {
  const { keepEverything, expire = [], cut = [], ...rules } = options;
  const given = Object.keys(rules).length + expire.length + cut.length > 0;
  if (Boolean(keepEverything) === given) {
    throw invalid('expected either rules or --keep-everything, got ' + (given ? 'both' : 'neither') + ': see --help');
  }
  const kinds = [
    ...expire.map((one) => ({ ...one, cutLineage: false })),
    ...cut.map((one) => ({ ...one, cutLineage: true })),
  ];
  const { setRetentionPolicy: answer } = await client.send<{ setRetentionPolicy: { policy: Policy | null } & Refusal }>(
    'SetRetentionPolicy',
    { policy: keepEverything ? null : { ...rules, kinds } },
  );
  refuse(answer);
  console.log(described(answer.policy));
}

/** @param first artifacts to name one by one */
export async function showPlan(client: ApiClient, first: number): Promise<void> {
  const { retentionPlan: plan } = await client.send<{ retentionPlan: Plan }>('RetentionPlan', { first });
  console.log(planned(plan));
  if (plan.items.nodes.length === 0) return;
  const rows = plan.items.nodes.map(({ artifact, reason }) => [
    artifact.id,
    artifact.kind,
    artifact.title,
    artifact.state,
    reason,
    bytes(artifact.bytes),
  ]);
  console.log(`\n${table(['artifact', 'kind', 'title', 'state', 'why', 'size'], rows)}`);
  const left = plan.artifacts - rows.length;
  if (left > 0) console.log(`and ${count(left)} more`);
}

/** @param yes what is left out is only told */
export async function apply(client: ApiClient, yes: boolean): Promise<void> {
  const { applyRetention: answer } = await client.send<{ applyRetention: Applied & Refusal }>('ApplyRetention', {
    dryRun: !yes,
  });
  refuse(answer);
  const { plan, pass } = answer;
  if (plan) console.log(`${planned(plan)}\n\nNothing was done. Add --yes to do it.`);
  if (!pass) return;
  const rows = [
    ['doomed', count(pass.doomed.artifacts), bytes(pass.doomed.bytes)],
    ['rescued', count(pass.rescued), ''],
    ['deleted', count(pass.deleted.artifacts), bytes(pass.deleted.bytes)],
  ];
  console.log(table(['', 'artifacts', 'size'], rows));
  const { orphans } = pass;
  if (!orphans) return;
  console.log(
    `\nSwept ${count(orphans.deleted.count)} of ${count(orphans.objects)} objects, ${bytes(orphans.deleted.bytes)}, that nothing referred to.`,
  );
  if (orphans.rowWithoutStore.count > 0) {
    console.log(`${count(orphans.rowWithoutStore.count)} objects are missing: see \`pushforward orphans\`.`);
  }
}

export async function pin(client: ApiClient, id: string, note: string): Promise<void> {
  const { pinArtifact: answer } = await client.send<{ pinArtifact: Refusal }>('PinArtifact', { id, note });
  refuse(answer);
  console.log(`${id}  pinned`);
}

export async function unpin(client: ApiClient, id: string): Promise<void> {
  const { unpinArtifact: answer } = await client.send<{ unpinArtifact: Refusal }>('UnpinArtifact', { id });
  refuse(answer);
  console.log(`${id}  not pinned`);
}

export interface OrphanOptions {
  olderThanHours: number;
  delete?: boolean;
  yes?: boolean;
}

export async function orphans(client: ApiClient, options: OrphanOptions): Promise<void> {
  const { olderThanHours } = options;
  if (options.yes && !options.delete) throw invalid('expected --yes with --delete, got --yes alone: add --delete');
  if (!options.delete || !options.yes) {
    const { orphans: report } = await client.send<{ orphans: Report }>('Orphans', { olderThanHours });
    console.log(differences(report));
    if (options.delete) console.log('\nNothing was deleted. Add --yes to do it.');
    return;
  }
  const { sweepOrphans: answer } = await client.send<{ sweepOrphans: { sweep: Sweep } & Refusal }>('SweepOrphans', {
    olderThanHours,
  });
  refuse(answer);
  const { sweep } = answer;
  console.log(
    `${differences(sweep)}\n\nDeleted ${count(sweep.deleted.count)} objects, ${bytes(sweep.deleted.bytes)}.` +
      (sweep.importing ? ' Blobs were left: an import is under way.' : ''),
  );
}

/** @throws InvalidArgumentError */
export function expiry(text: string, before: Expiry[] = []): Expiry[] {
  const [, kind, days] = /^(\w+)=(\d+)$/.exec(text) ?? [];
  if (!kind) throw new InvalidArgumentError(`expected kind=days such as latents=30, got ${text}`);
  return [...before, { kind, days: Number(days) }];
}

function described(policy: Policy | null): string {
  if (!policy) return 'No policy: everything is kept.';
  const { keepDays, keepRuns, keepVersions, graceHours } = policy;
  const days = (value: number) => `${value} day${value === 1 ? '' : 's'}`;
  const newest = (value: number) => (value === 1 ? 'the newest' : `the ${value} newest`);
  const runs = [
    ...(keepDays === null ? [] : [`of the last ${days(keepDays)}`]),
    ...(keepRuns === null ? [] : [`${newest(keepRuns)} of each dataset that succeeded`]),
  ];
  const rows = [
    ['runs', runs.join('; ') || 'all'],
    ['versions', keepVersions === null ? 'all' : `${newest(keepVersions)} of each dataset, and what kept runs read`],
    ...policy.kinds.map(({ kind, days: after, cutLineage }) => [
      kind,
      `${days(after)} after the last use${cutLineage ? ', also where a kept artifact was made from it' : ''}`,
    ]),
    ['grace', `${graceHours} hours from doomed to deleted`],
    ['set', `by ${policy.setBy} at ${policy.setAt}`],
  ];
  const width = Math.max(...rows.map(([name]) => name!.length));
  return rows.map(([name, what]) => `${name!.padEnd(width)}  ${what}`).join('\n');
}

function planned({ artifacts, bytes: free, kinds }: Omit<Plan, 'items'>): string {
  if (artifacts === 0) return 'Nothing would go.';
  const rows = kinds.map((one) => [one.kind, one.reason, count(one.artifacts), bytes(one.bytes)]);
  rows.push(['free in the store', '', count(artifacts), bytes(free)]);
  return table(['kind', 'why', 'artifacts', 'size'], rows);
}

function differences({ objects, storeWithoutRow, young, rowWithoutStore }: Report): string {
  const rows = [
    ['in the store, nothing refers to it', count(storeWithoutRow.count), bytes(storeWithoutRow.bytes)],
    ['the same, too young to tell', count(young.count), bytes(young.bytes)],
    ['referred to, not in the store', count(rowWithoutStore.count), bytes(rowWithoutStore.bytes)],
  ];
  const parts = [table([`of ${count(objects)} objects`, 'count', 'size'], rows)];
  const strays = storeWithoutRow.examples.map((one) => [one.key, one.modifiedAt, bytes(one.bytes)]);
  if (strays.length > 0) parts.push(table(['nothing refers to', 'written', 'size'], strays));
  const lost = rowWithoutStore.examples.map((one) => [
    one.key,
    one.expectedBytes === null ? '' : bytes(one.expectedBytes),
    one.bytes === null ? 'missing' : bytes(one.bytes),
  ]);
  if (lost.length > 0) parts.push(table(['not as it should be', 'expected', 'found'], lost));
  return parts.join('\n\n');
}

interface Tally {
  count: number;
  bytes: number;
}

interface Plan {
  artifacts: number;
  bytes: number;
  kinds: { kind: string; reason: string; artifacts: number; bytes: number }[];
  items: {
    nodes: { reason: string; artifact: { id: string; kind: string; title: string; state: string; bytes: number } }[];
  };
}

interface Applied {
  plan: Omit<Plan, 'items'> | null;
  pass: {
    doomed: { artifacts: number; bytes: number };
    rescued: number;
    deleted: { artifacts: number; bytes: number };
    orphans: { objects: number; deleted: Tally; rowWithoutStore: Tally } | null;
  } | null;
}

interface Report {
  objects: number;
  storeWithoutRow: Tally & { examples: { key: string; bytes: number; modifiedAt: string }[] };
  young: Tally;
  rowWithoutStore: Tally & { examples: { key: string; expectedBytes: number | null; bytes: number | null }[] };
}

interface Sweep extends Report {
  deleted: Tally;
  importing: boolean;
}
