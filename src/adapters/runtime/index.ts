export { createModelRuntime, type ModelRuntimeOptions } from './runtime.ts';
