export { createEngine } from './engine.ts';
export type { Engine, EngineEvents, EngineOptions } from './options.ts';
export type { LaunchRequest } from './ports.ts';
export { isFinal, type AttemptState, type RunState, type StageState, type TaskState } from './states.ts';
export type { RunEvent, RunEventType } from './events.ts';
