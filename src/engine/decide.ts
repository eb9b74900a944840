import { type RunSnapshot, type StageRecord } from './ports.ts';
import { isFinal } from './states.ts';

/** What a run needs next. */
export type Step =
  | { kind: 'begin' }
  | { kind: 'plan'; stage: StageRecord }
  | { kind: 'publish'; stage: StageRecord }
  | { kind: 'succeed' }
  /** Make its attempts stop. */
  | { kind: 'release' }
  | { kind: 'end' }
  /** Nothing, until an attempt ends or someone asks. */
  | { kind: 'wait' };

/** The reconciler's whole judgement: from how things are, never from what happened. */
export function decide({ run, stages, tasks, runningAttempts }: RunSnapshot): Step {
  if (isFinal('run', run.state)) return runningAttempts.length > 0 ? { kind: 'release' } : { kind: 'wait' };
  if (run.state === 'QUEUED') return { kind: 'begin' };
  if (run.state === 'STOPPING') return { kind: runningAttempts.length > 0 ? 'release' : 'end' };

  const stage = firstUnfinished(stages);
  if (!stage) return { kind: 'succeed' };
  if (stage.state === 'PENDING') return { kind: 'plan', stage };
  if (tasks.PENDING === 0 && tasks.RUNNING === 0) return { kind: 'publish', stage };
  return { kind: 'wait' };
}

export function firstUnfinished(stages: readonly StageRecord[]): StageRecord | undefined {
  return stages.find((stage) => stage.state !== 'SUCCEEDED' && stage.state !== 'SKIPPED');
}
