import { invalid, PushforwardError } from '../base/errors.ts';
import { isDrift } from '../pipeline/drift/recipe.ts';
import { codebooksOf, isComparable } from '../pipeline/drift/reference.ts';
import { type ProjectCatalog } from './ports.ts';
import { type ArtifactView, type RunView } from './views.ts';

/** What a drift run compares with. */
export interface DriftReference {
  run: RunView;
  /** The artifact of its quantize stage, which lists the codebooks. */
  codebooks: string;
  /** Names of the classes that it has codebooks of. */
  classes: string[];
}

export type ReferenceRows = Pick<ProjectCatalog, 'runsById' | 'aliasByName' | 'artifactsById' | 'stagesByRun'>;

const PATH = { path: ['against'] };
const LOOKUP = 1000;

/**
 * The run that an alias, a run or a synthetic dataset names, with its codebooks.
 * @param against as the recipe has it
 * @throws NOT_FOUND; INVALID_INPUT for what distilled nothing, or held nothing out; NOT_READY; ARTIFACT_DELETED
 */
export async function driftReference(rows: ReferenceRows, against: string): Promise<DriftReference> {
  const run = await distillation(rows, against);
  const stages = await rows.stagesByRun([run.id]);
  const quantize = stages.find(({ name }) => name === 'quantize');
  if (quantize?.state !== 'SUCCEEDED' || quantize.artifactId === null) {
    throw new PushforwardError(
      'NOT_READY',
      `expected a run whose codebooks are made, got ${run.id}, which is ${run.state}: wait for it, or name another`,
      { ...PATH, state: run.state },
    );
  }
  const [stage] = await rows.artifactsById([quantize.artifactId]);
  const ids = codebooksOf(stage!.manifest);
  const codebooks: ArtifactView[] = [];
  for (let from = 0; from < ids.length; from += LOOKUP)
    codebooks.push(...(await rows.artifactsById(ids.slice(from, from + LOOKUP))));
  for (const one of codebooks) checkCodebook(one, run);
  return {
    run,
    codebooks: quantize.artifactId,
    classes: codebooks.map(({ manifest }) => manifest.content['className'] as string),
  };
}

async function distillation(rows: ReferenceRows, against: string): Promise<RunView> {
  const run = await namedRun(rows, against);
  if (!isDrift(run.recipe)) return run;
  throw invalid(
    `expected a run that distilled, got ${against}, which measured drift: name the run that it was compared with, or an alias`,
    PATH,
  );
}

async function namedRun(rows: ReferenceRows, against: string): Promise<RunView> {
  const [named] = await rows.runsById([against]);
  if (named) return named;
  const alias = await rows.aliasByName(against);
  if (alias && !alias.current) {
    throw new PushforwardError(
      'NOT_READY',
      `expected alias ${against} to stand for a synthetic dataset, got none so far: promote one first`,
      PATH,
    );
  }
  const [artifact] = await rows.artifactsById([alias?.current?.artifactId ?? against], ['syntheticDataset']);
  const [maker] = artifact?.runId ? await rows.runsById([artifact.runId]) : [];
  if (maker) return maker;
  throw new PushforwardError(
    'NOT_FOUND',
    `expected an alias, a run or a synthetic dataset of this project, got ${against}, which is none: see \`pushforward runs list\` and \`pushforward aliases\``,
    { id: against, ...PATH },
  );
}

function checkCodebook({ state, manifest }: ArtifactView, run: RunView): void {
  const className = manifest.content['className'] as string;
  if (state === 'DELETED') {
    throw new PushforwardError(
      'ARTIFACT_DELETED',
      `expected the codebook of ${className}, got one that was deleted: retry run ${run.id}, then compare with it`,
      { id: manifest.id, ...PATH },
    );
  }
  if (isComparable(manifest)) return;
  const [got, remedy] =
    manifest.metrics['heldoutN']! > 0
      ? ['which an earlier release made without them', `retry run ${run.id}`]
      : ['which held none out', 'launch one with a holdout such as 0.1'];
  throw invalid(
    `expected codebooks that keep held-out samples, got that of class ${className} of run ${run.id}, ${got}: ${remedy}, and compare with that`,
    { ...PATH, className },
  );
}
