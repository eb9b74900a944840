import { newId } from '../base/ids.ts';
import { type Core } from './core.ts';
import { type ArtifactManifest, type RunRecord, type StageRecord, type TaskSpec } from './ports.ts';

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

  const found = await findPublished(plan.tasks, (task) => publications.find(run.projectId, task.artifactId));
  const tasks = plan.tasks.map((spec) => ({ id: newId('task'), spec, manifest: found.get(spec.artifactId) ?? null }));
  const planned = await core.change(run.id, async (change) => {
    if (change.state() !== 'RUNNING') return false;
    await change.moveStage(stage, 'RUNNING', { started: true });
    await change.insertTasks(
      tasks.map(({ id, spec, manifest }) => ({
        id,
        spec,
        state: manifest ? 'SUCCEEDED' : 'PENDING',
        cache: manifest ? 'HIT' : null,
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
  for (const { spec, manifest } of tasks) if (manifest) core.telemetry.cached(run, spec, manifest.metrics);
}

async function findPublished(
  tasks: readonly TaskSpec[],
  find: (task: TaskSpec) => Promise<ArtifactManifest | null>,
): Promise<Map<string, ArtifactManifest>> {
  const found = new Map<string, ArtifactManifest>();
  const left = tasks.values();
  const look = async () => {
    for (const task of left) {
      const manifest = await find(task);
      if (manifest) found.set(task.artifactId, manifest);
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS, tasks.length) }, look));
  return found;
}
