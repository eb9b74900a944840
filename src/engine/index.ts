export { createEngine, type Engine, type EngineEvents, type EngineOptions, type LaunchRequest } from './engine.ts';
export { isFinal, type AttemptState, type RunState, type StageState, type TaskState } from './states.ts';
export type { RunEvent, RunEventType } from './events.ts';
