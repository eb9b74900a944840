import { crashPoint } from '../base/crash-points.ts';
import { newId } from '../base/ids.ts';
import { type Core } from './core.ts';
import {
  type FormerArtifact,
  type NewTask,
  type RunRecord,
  type StageRecord,
  type TaskSpec,
  type Verified,
} from './ports.ts';

const LOOKUPS = 16;

/** PENDING to RUNNING or SKIPPED: asks the planner for the stage's tasks and looks which of them are published already. */
export async function planStage(core: Core, run: RunRecord, stage: StageRecord): Promise<void> {
  const { planner, publications, runs } = core.options;
  const plan = await planner.plan({
    projectId: run.projectId,
    runId: run.id,
    recipe: run.recipe,
    inputs: run.inputs,
    stage: stage.name,
    published: await runs.publishedTasks(run.id),
    signal: core.stopping,
  });
  if (plan.kind === 'skip') {
    return core.change(run.id, async (change) => {
      if (change.state() !== 'RUNNING') return;
      await change.moveStage(stage, 'SKIPPED', { skipReason: plan.reason, ended: true });
      change.emit({ type: 'stage.skipped', payload: { stage: stage.name, reason: plan.reason } });
    });
  }

  const found = await lookUp(plan.tasks, (task) => publications.verify(run.projectId, task.artifactId));
  const missing = [...found].flatMap(([id, { manifest }]) => (manifest ? [] : id));
  const former = missing.length > 0 ? await runs.formerArtifacts(run.projectId, missing) : new Map<string, never>();
  const tasks = plan.tasks.map((spec) => {
    const verified = found.get(spec.artifactId)!;
    return { id: newId('task'), spec, manifest: verified.manifest, ...explain(verified, former.get(spec.artifactId)) };
  });
  crashPoint('stage.planned');
  const planned = await core.change(run.id, async (change) => {
    if (change.state() !== 'RUNNING') return false;
    await change.moveStage(stage, 'RUNNING', { started: true });
    await change.insertTasks(
      tasks.map(({ manifest, ...task }) => ({
        ...task,
        state: manifest ? 'SUCCEEDED' : 'PENDING',
        metrics: manifest?.metrics ?? null,
      })),
    );
    const hits = tasks.flatMap(({ id, spec, manifest }) => (manifest ? [{ id, spec, manifest }] : []));
    await change.recordArtifacts(
      hits.map(({ id, spec, manifest }) => ({ manifest, title: spec.title, taskId: id, made: null })),
    );
    const { tasksTotal, tasksCached, itemsTotal } = await change.recountStage(stage.name);
    change.emit(
      { type: 'stage.started', payload: { stage: stage.name, tasksTotal, tasksCached, itemsTotal } },
      ...hits.map(({ id, spec, manifest }) => ({
        type: 'task.succeeded' as const,
        payload: {
          taskId: id,
          stage: stage.name,
          index: spec.index,
          title: spec.title,
          artifactId: spec.artifactId,
          cache: 'HIT' as const,
          metrics: manifest.metrics,
          seconds: 0,
          costUsd: 0,
        },
      })),
    );
    return true;
  });
  if (!planned) return;
  crashPoint('stage.recorded');
  for (const { spec, manifest } of tasks) if (manifest) core.telemetry.cached(run, spec, manifest.metrics);
}

/** Why a task is, or is not, carried out. */
function explain(verified: Verified, former: FormerArtifact | undefined): Pick<NewTask, 'cache' | 'cacheReason'> {
  if (verified.manifest) return { cache: 'HIT', cacheReason: null };
  if (former?.deletedAt) {
    const why = former.deletedBecause === null ? 'by the retention policy' : `by hand: ${former.deletedBecause}`;
    return { cache: 'STALE', cacheReason: `it was deleted at ${former.deletedAt.toISOString()} ${why}` };
  }
  if (verified.flaw !== null) return { cache: 'STALE', cacheReason: verified.flaw };
  return former
    ? { cache: 'STALE', cacheReason: 'its manifest is not in the store any more' }
    : { cache: 'MISS', cacheReason: null };
}

async function lookUp(
  tasks: readonly TaskSpec[],
  find: (task: TaskSpec) => Promise<Verified>,
): Promise<Map<string, Verified>> {
  const found = new Map<string, Verified>();
  const left = tasks.values();
  const look = async () => {
    for (const task of left) found.set(task.artifactId, await find(task));
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS, tasks.length) }, look));
  return found;
}
