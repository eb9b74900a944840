export { readModelFile } from './model-file.ts';
export { createModelRuntime, type ModelRuntimeOptions } from './runtime.ts';
