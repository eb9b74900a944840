import { invalid, notFound, PushforwardError } from '../base/errors.ts';
import { checkGates, evaluateGates, gateText, letsThrough } from './gates.ts';
import { type Principal } from './identity.ts';
import {
  type AliasVersionView,
  type AliasView,
  type ArtifactView,
  type Catalog,
  type Gate,
  type GateResult,
  type ProjectCatalog,
} from './ports.ts';
import { qualities, type RunQuality } from './quality.ts';

export interface PromoteArtifactInput {
  alias: string;
  artifactId: string;
  /** Why it may pass a gate that does not let it through; null: it has to pass them all. */
  override: string | null;
}

export interface RevertAliasInput {
  alias: string;
  /** Number of the version whose artifact it goes back to; null: the one before. */
  toNumber: number | null;
}

type Of = { catalog: Pick<Catalog, 'project'> };

/** Someone else may promote at the same time: then the gates are asked again. */
const TRIES = 5;
const MOST_REASON = 1000;

/**
 * Makes an alias stand for a synthetic dataset from now on, as a new version of it. What it stands for already gives no other.
 * @throws NOT_FOUND; INVALID_INPUT for what is no synthetic dataset; ARTIFACT_DELETED; GATES_FAILED where a gate does not let it
 * through and no override says why it may
 */
export async function promoteArtifact(
  { catalog }: Of,
  principal: Principal,
  { alias, artifactId, override }: PromoteArtifactInput,
): Promise<{ version: AliasVersionView; reused: boolean }> {
  const rows = catalog.project(principal.projectId);
  const name = checkName(alias);
  const reason = checkReason(override);
  const artifact = await syntheticDataset(rows, artifactId);
  for (let left = TRIES; left > 0; left--) {
    const current = await rows.aliasByName(name);
    if (current?.current?.artifactId === artifactId) return { version: current.current, reused: true };
    const gates = await evaluated(rows, current, artifact);
    const failed = gates.filter((gate) => !letsThrough(gate));
    if (failed.length > 0 && reason === null) throw refused(name, artifactId, gates, failed);
    const version = await rows.promote(name, {
      ...{ after: current?.current?.number ?? 0, artifactId, by: principal.actor },
      ...{ gates, override: failed.length > 0 ? reason : null, revertsTo: null },
    });
    if (version) return { version, reused: false };
  }
  throw new PushforwardError('NOT_READY', `expected ${name} to stand still, got others who promote too: try again`);
}

/**
 * Makes an alias stand for what it stood for before, as a new version of it. Gates are not asked: it passed them, or was let through.
 * @throws NOT_FOUND; INVALID_INPUT where there is nothing to go back to; ARTIFACT_DELETED
 */
export async function revertAlias(
  { catalog }: Of,
  principal: Principal,
  { alias, toNumber }: RevertAliasInput,
): Promise<AliasVersionView> {
  const rows = catalog.project(principal.projectId);
  const found = await rows.aliasByName(alias);
  if (!found) throw notFound('alias', alias);
  const now = found.current?.number ?? 0;
  if (now < 2) {
    throw invalid(`expected two versions of ${alias} or more, got ${now}: promote another before you go back`, {
      path: ['alias'],
    });
  }
  const number = toNumber ?? now - 1;
  if (number < 1 || number >= now) {
    throw invalid(
      `expected a version of ${alias} from 1 to ${now - 1} to go back to, got ${number}: name one of them`,
      {
        path: ['toNumber'],
      },
    );
  }
  const [target] = await rows.versionsOfAliases([{ alias, before: number + 1, first: 1 }]);
  const version = await rows.promote(found.name, {
    ...{ after: now, artifactId: target!.artifactId, by: principal.actor },
    ...{ gates: [], override: null, revertsTo: number },
  });
  if (version) return version;
  throw new PushforwardError(
    'NOT_READY',
    `expected version ${now} of ${alias} to be the newest, got another meanwhile: look at it and try again`,
  );
}

/** The gates hold for promotions from now on; the alias is there from then on. @throws INVALID_INPUT */
export async function setAliasGates(
  { catalog }: Of,
  principal: Principal,
  input: { alias: string; gates: readonly Gate[] },
): Promise<AliasView> {
  const rows = catalog.project(principal.projectId);
  return await rows.saveAlias(checkName(input.alias), checkGates(input.gates));
}

/** What a promotion would find, without one. @throws NOT_FOUND; INVALID_INPUT for what is no synthetic dataset; ARTIFACT_DELETED */
export async function gateResults(
  rows: ReadRows,
  { alias, artifactId }: { alias: string; artifactId: string },
): Promise<GateResult[]> {
  return await evaluated(rows, await rows.aliasByName(alias), await syntheticDataset(rows, artifactId));
}

type ReadRows = Pick<ProjectCatalog, 'aliasByName' | 'artifactsById' | 'runsById' | 'tasksByRun' | 'costsToMake'>;

async function syntheticDataset(rows: Pick<ProjectCatalog, 'artifactsById'>, id: string): Promise<ArtifactView> {
  const [artifact] = await rows.artifactsById([id]);
  if (!artifact) throw notFound('artifact', id);
  if (artifact.kind !== 'syntheticDataset') {
    throw invalid(
      `expected a synthetic dataset, got ${id}, an artifact of kind ${artifact.kind}: name the one that the report stage of its run published`,
      { path: ['artifactId'] },
    );
  }
  if (artifact.state !== 'DELETED') return artifact;
  throw new PushforwardError(
    'ARTIFACT_DELETED',
    `expected a synthetic dataset whose bytes are there, got ${id}, which was deleted (${artifact.deletedBecause ?? 'by the retention policy'}): launch its run again, then promote it`,
    { id, path: ['artifactId'] },
  );
}

async function evaluated(rows: ReadRows, alias: AliasView | null, artifact: ArtifactView): Promise<GateResult[]> {
  if (!alias || alias.gates.length === 0) return [];
  const promotedId = alias.current?.artifactId;
  const [promoted] = promotedId ? await rows.artifactsById([promotedId]) : [];
  const [run, before] = await Promise.all([gatedRun(rows, artifact), promoted ? gatedRun(rows, promoted) : null]);
  return evaluateGates(alias.gates, run, before);
}

/** The run that made the dataset has its figures. */
async function gatedRun(rows: ReadRows, { runId }: ArtifactView): Promise<RunQuality> {
  const runs = await rows.runsById([runId!]);
  const [quality] = await qualities(rows, runs);
  return quality!;
}

function refused(alias: string, artifactId: string, gates: readonly GateResult[], failed: readonly GateResult[]) {
  const remedy = 'promote another, change the gates of the alias, or say in override why this one may pass';
  const what = `expected ${artifactId} to pass the gates of ${alias}, got ${failed.map(gateText).join('; ')}: ${remedy}`;
  return new PushforwardError('GATES_FAILED', what, { path: ['artifactId'], remedy, gates });
}

/** As a word in a command or an address. */
export function checkName(name: string, path: readonly string[] = ['alias']): string {
  if (/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/.test(name)) return name;
  throw invalid(
    `expected an alias of 1 to 63 letters a to z, digits and . _ - between them, got ${JSON.stringify(name)}: use one such as production`,
    { path },
  );
}

function checkReason(override: string | null): string | null {
  const reason = override?.trim() ?? null;
  if (reason === null || (reason.length > 0 && reason.length <= MOST_REASON)) return reason;
  throw invalid(
    `expected a reason of 1 to ${MOST_REASON} characters in override, got ${reason.length}: say why it may pass, or leave override out`,
    { path: ['override'] },
  );
}
