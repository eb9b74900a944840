import { type Clock } from '../base/clock.ts';
import { type Change } from './changes.ts';
import { firstUnfinished } from './decide.ts';
import { type AttemptRecord, type Failure, type RunRecord, type StageRecord, type TaskRecord } from './ports.ts';
import { isFinal } from './states.ts';

/** QUEUED or RUNNING to STOPPING: for a failure, or, with none, because someone cancelled. */
export async function beginStop(change: Change, failure: Failure | null): Promise<void> {
  await change.moveRun('STOPPING', { failure });
  change.emit({ type: 'run.stopping', payload: { failure } });
  const count = await change.cancelTasks(['PENDING']);
  if (count > 0) change.emit({ type: 'tasks.cancelled', payload: { count } });
}

/** STOPPING to its end. `unconfirmed` names the attempts that were not seen gone in time. */
export async function endStop(change: Change, clock: Clock, unconfirmed: string[]): Promise<StageRecord | undefined> {
  const { failure } = change.run;
  const count = await change.cancelTasks(['PENDING', 'RUNNING']);
  if (count > 0) change.emit({ type: 'tasks.cancelled', payload: { count } });

  const stages = await change.stages();
  const current = firstUnfinished(stages);
  for (const stage of stages) {
    if (isFinal('stage', stage.state)) continue;
    const failed = failure !== null && stage === current;
    await change.moveStage(stage, failed ? 'FAILED' : 'CANCELLED', { ended: true });
    change.emit(
      failed
        ? { type: 'stage.failed', payload: { stage: stage.name, failure } }
        : { type: 'stage.cancelled', payload: { stage: stage.name } },
    );
  }

  if (unconfirmed.length > 0) change.emit({ type: 'run.resourcesUnconfirmed', payload: { attempts: unconfirmed } });
  await change.moveRun(failure ? 'FAILED' : 'CANCELLED', {
    ended: true,
    ...(unconfirmed.length > 0 && { resourcesUnconfirmed: true }),
  });
  const ended = { seconds: secondsSince(clock, change.run.startedAt), costUsd: change.run.costUsd };
  change.emit(
    failure ? { type: 'run.failed', payload: { ...ended, failure } } : { type: 'run.cancelled', payload: ended },
  );
  return current;
}

/** Takes the mark away once every attempt that the run went on or ended without was seen gone. */
export async function confirmRelease(change: Change): Promise<void> {
  if (!change.run.resourcesUnconfirmed) return;
  for (const attempt of await change.runningAttempts()) {
    const task = await change.task(attempt.taskId);
    if (!task || !isCurrent(task, attempt)) return;
  }
  await change.setRun({ resourcesUnconfirmed: false });
  change.emit({ type: 'run.resourcesReleased', payload: {} });
}

/** False once its task went on, or ended, without waiting for the attempt. */
export function isCurrent(task: TaskRecord, attempt: AttemptRecord): boolean {
  return task.state === 'RUNNING' && task.epoch === attempt.epoch;
}

export function secondsSince(clock: Clock, start: RunRecord['startedAt']): number {
  return start ? Math.max(0, (clock.now().getTime() - start.getTime()) / 1000) : 0;
}
