import { isFinal, isLegal, type StateOf } from '../../../src/engine/states.ts';

export interface HistoryEvent {
  sequence: number;
  type: string;
  payload: Record<string, unknown>;
}

/** States by id (of stages by name). */
export interface States {
  run: StateOf['run'];
  stages: Record<string, StateOf['stage']>;
  tasks: Record<string, StateOf['task']>;
  attempts: Record<string, StateOf['attempt']>;
}

/**
 * Carries out the history of a run from its first event on, against the engine's own table of legal moves.
 * @returns where it ends, and what in it the table does not allow
 */
export function replay(events: readonly HistoryEvent[]): States & { faults: string[] } {
  const faults: string[] = [];
  const states: States = { run: 'QUEUED', stages: {}, tasks: {}, attempts: {} };
  /** Task to the attempt that it waits for. */
  const current = new Map<string, string>();
  let at = '';

  function move<Kind extends keyof StateOf>(kind: Kind, id: string, from: StateOf[Kind], to: StateOf[Kind]) {
    if (!isLegal(kind, from, to)) faults.push(`${at}: ${kind} ${id} from ${from} to ${to}`);
    return to;
  }
  const moveRun = (to: StateOf['run']) => void (states.run = move('run', '', states.run, to));
  const moveStage = (name: string, to: StateOf['stage']) =>
    void (states.stages[name] = move('stage', name, states.stages[name] ?? 'PENDING', to));
  const moveTask = (id: string, to: StateOf['task']) =>
    void (states.tasks[id] = move('task', id, states.tasks[id] ?? 'PENDING', to));
  const moveAttempt = (id: string, to: StateOf['attempt']) => {
    const from = states.attempts[id];
    if (from === undefined) faults.push(`${at}: attempt ${id} ends and never began`);
    else states.attempts[id] = move('attempt', id, from, to);
  };
  /** Whether the task was waiting for it. */
  const release = (taskId: string, attemptId: string) => {
    if (current.get(taskId) !== attemptId) return false;
    return current.delete(taskId);
  };
  const endUnfinished = () => {
    for (const [id, state] of Object.entries(states.tasks)) if (!isFinal('task', state)) moveTask(id, 'CANCELLED');
  };

  for (const [index, { sequence, type, payload }] of events.entries()) {
    at = `${sequence} ${type}`;
    if (sequence !== index + 1) faults.push(`${at}: expected sequence ${index + 1}`);
    if (isFinal('run', states.run) && !['run.resourcesReleased', 'attempt.lost', 'attempt.cancelled'].includes(type)) {
      faults.push(`${at}: the run had ended`);
    }
    const [stage, taskId, attemptId] = ['stage', 'taskId', 'attemptId'].map((name) => payload[name] as string) as [
      string,
      string,
      string,
    ];
    switch (type) {
      case 'run.created':
        if (index > 0) faults.push(`${at}: the run was there`);
        for (const name of payload['stages'] as string[]) states.stages[name] = 'PENDING';
        break;
      case 'run.started':
        moveRun('RUNNING');
        break;
      case 'run.stopping':
        moveRun('STOPPING');
        break;
      case 'run.succeeded':
      case 'run.failed':
      case 'run.cancelled':
        endUnfinished();
        moveRun(type.slice('run.'.length).toUpperCase() as StateOf['run']);
        break;
      case 'run.resourcesUnconfirmed':
        // Their tasks go on without them.
        for (const id of payload['attempts'] as string[]) {
          for (const [task, attempt] of current) if (attempt === id && release(task, id)) moveTask(task, 'PENDING');
        }
        break;
      case 'stage.started':
        moveStage(stage, 'RUNNING');
        break;
      case 'stage.succeeded':
      case 'stage.skipped':
      case 'stage.failed':
      case 'stage.cancelled':
        moveStage(stage, type.slice('stage.'.length).toUpperCase() as StateOf['stage']);
        break;
      case 'attempt.started':
        moveTask(taskId, 'RUNNING');
        states.attempts[attemptId] = 'RUNNING';
        current.set(taskId, attemptId);
        break;
      case 'attempt.failed':
      case 'attempt.lost':
      case 'attempt.cancelled':
        moveAttempt(attemptId, type.slice('attempt.'.length).toUpperCase() as StateOf['attempt']);
        if (!release(taskId, attemptId)) break;
        if (states.run !== 'RUNNING') moveTask(taskId, 'CANCELLED');
        else if (payload['willRetry'] !== false) moveTask(taskId, 'PENDING');
        break;
      case 'task.succeeded': {
        const attempt = current.get(taskId);
        if (attempt !== undefined && release(taskId, attempt)) moveAttempt(attempt, 'SUCCEEDED');
        moveTask(taskId, 'SUCCEEDED');
        break;
      }
      case 'task.failed':
        moveTask(taskId, 'FAILED');
        break;
    }
  }
  return { ...states, faults };
}
