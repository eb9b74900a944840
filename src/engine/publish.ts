import { crashPoint } from '../base/crash-points.ts';
import { digestOf } from '../base/json.ts';
import { type Core } from './core.ts';
import { type ArtifactManifest, type Published, type RunRecord, type StageRecord } from './ports.ts';
import { secondsSince } from './stop.ts';

/** RUNNING to SUCCEEDED: all tasks have published, so the stage's manifest, which lists them, is written. */
export async function publishStage(core: Core, run: RunRecord, stage: StageRecord): Promise<void> {
  const { publications, runs, clock } = core.options;
  const tasks = (await runs.publishedTasks(run.id)).get(stage.name) ?? [];
  const manifest = await publications.publish(run.projectId, stageManifest(stage.name, tasks));
  crashPoint('stage.published');
  const done = await core.change(run.id, async (change) => {
    if (change.state() !== 'RUNNING') return null;
    const { tasksTotal, tasksCached, costUsd, startedAt } = await change.recountStage(stage.name);
    await change.recordArtifacts([{ manifest, title: stage.name, taskId: null, made: { usage: null, costUsd } }]);
    await change.moveStage(stage, 'SUCCEEDED', { artifactId: manifest.id, ended: true });
    const payload = {
      stage: stage.name,
      artifactId: manifest.id,
      tasksTotal,
      tasksCached,
      seconds: secondsSince(clock, startedAt),
      costUsd,
    };
    change.emit({ type: 'stage.succeeded', payload });
    return payload;
  });
  if (!done) return;
  core.telemetry.stageEnded(run, stage.name, {
    'pushforward.tasks.total': done.tasksTotal,
    'pushforward.tasks.cached': done.tasksCached,
    'pushforward.cost.usd': done.costUsd,
    'pushforward.stage.seconds': done.seconds,
  });
}

/** Its id follows from its tasks' alone, so the same tasks give the same stage artifact, whichever run came to it. */
function stageManifest(stage: string, tasks: readonly Published[]): ArtifactManifest {
  const ids = tasks.map(({ task }) => task.artifactId);
  const stageVersion = tasks[0]?.task.stageVersion ?? 0;
  return {
    formatVersion: 1,
    id: digestOf({ kind: 'stage', stage, stageVersion, tasks: ids }),
    stage,
    stageVersion,
    kind: 'stage',
    options: {},
    inputs: [...new Set(ids)],
    blobs: {},
    content: { tasks: ids },
    metrics: {},
    produced: {},
  };
}
