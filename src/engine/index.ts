export { createEngine } from './engine.ts';
export type { Engine, EngineEvents, EngineOptions, LaunchRequest } from './options.ts';
export { isFinal, type AttemptState, type RunState, type StageState, type TaskState } from './states.ts';
export type { RunEvent, RunEventType } from './events.ts';
