import { type JsonObject } from '../base/json.ts';
import { type RunEvent } from './events.ts';
import {
  type AttemptRecord,
  type RunChange,
  type RunStore,
  type RunUpdate,
  type StageRecord,
  type StageUpdate,
  type TaskRecord,
  type TaskUpdate,
  type AttemptUpdate,
} from './ports.ts';
import { assertLegal, type AttemptState, type RunState, type StageState, type TaskState } from './states.ts';

/** A transaction over one run in which every move is checked against the table of legal moves. */
export interface Change extends Omit<
  RunChange,
  'updateRun' | 'updateStage' | 'updateTask' | 'updateAttempt' | 'appendEvents'
> {
  /** The run's state after the moves of this change so far. */
  state(): RunState;
  moveRun(to: RunState, set?: Omit<RunUpdate, 'state'>): Promise<void>;
  /** Fields that go with no move. */
  setRun(set: Pick<RunUpdate, 'cancelRequested' | 'resourcesUnconfirmed'>): Promise<void>;
  moveStage(stage: StageRecord, to: StageState, set?: Omit<StageUpdate, 'state'>): Promise<void>;
  moveTask(task: TaskRecord, to: TaskState, set?: Omit<TaskUpdate, 'state'>): Promise<void>;
  moveAttempt(attempt: AttemptRecord, to: AttemptState, set?: Omit<AttemptUpdate, 'state'>): Promise<void>;
  setReference(attempt: AttemptRecord, reference: JsonObject): Promise<void>;
  takeOver(attempt: AttemptRecord, lease: { owner: string; leaseMs: number }): Promise<void>;
  emit(...events: RunEvent[]): void;
}

/** `work` and `taskId` as in `RunStore.change`. */
export type Changes = <T>(runId: string, work: (change: Change) => Promise<T>, taskId?: string) => Promise<T>;

/** `notify` hears of a run's newest event once it is committed; `moved` of every state a run enters. */
export function createChanges(
  store: RunStore,
  notify: (runId: string, sequence: number) => void,
  moved: (state: RunState) => void,
): Changes {
  return async (runId, work, taskId) => {
    const entered: RunState[] = [];
    let events: RunEvent[] = [];
    const { value, sequence } = await store.change(
      runId,
      async (raw) => {
        entered.length = 0;
        events = [];
        const result = await work(checked(raw, events, entered));
        if (events.length > 0) await raw.appendEvents(events as unknown as { type: string; payload: JsonObject }[]);
        return result;
      },
      taskId,
    );
    entered.forEach(moved);
    if (events.length > 0) notify(runId, sequence);
    return value;
  };
}

function checked(raw: RunChange, events: RunEvent[], entered: RunState[]): Change {
  let state = raw.run.state;
  return {
    ...raw,
    state: () => state,
    async moveRun(to, set) {
      assertLegal('run', state, to);
      await raw.updateRun(state, { ...set, state: to });
      state = to;
      entered.push(to);
    },
    setRun: (set) => raw.updateRun(state, set),
    async moveStage(stage, to, set) {
      assertLegal('stage', stage.state, to);
      await raw.updateStage(stage.name, stage.state, { ...set, state: to });
    },
    async moveTask(task, to, set) {
      assertLegal('task', task.state, to);
      await raw.updateTask(task.id, task.state, task.epoch, { ...set, state: to });
    },
    async moveAttempt(attempt, to, set) {
      assertLegal('attempt', attempt.state, to);
      await raw.updateAttempt(attempt.id, attempt.state, { ...set, state: to, ended: true });
    },
    setReference: (attempt, reference) => raw.updateAttempt(attempt.id, 'RUNNING', { state: 'RUNNING', reference }),
    takeOver: (attempt, lease) => raw.updateAttempt(attempt.id, 'RUNNING', { state: 'RUNNING', lease }),
    emit: (...more) => void events.push(...more),
  };
}
