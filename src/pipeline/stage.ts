import { type JsonObject } from '../base/json.ts';
import { type BlobReference, type PlanRequest, type StagePlan, type TaskSpec } from '../engine/ports.ts';
import { artifactId } from './artifacts.ts';
import { type Prior } from './prior/model.ts';
import {
  type ArchiveWriter,
  type ImageCodec,
  type ImageReader,
  type ModelRuntime,
  type ObjectStore,
  type TableWriter,
  type TextOutlines,
} from './ports.ts';
import { type Recipe } from './recipe.ts';

/**
 * One step of the chain. `plan` runs in the service and cuts the stage into tasks; `run` carries one task out in a
 * worker. Stages never import each other: they meet in the artifacts that earlier ones published.
 */
export interface Stage<R = Recipe> {
  readonly name: string;
  /** Raised whenever the same options and inputs would give other bytes. */
  readonly version: number;
  plan(context: PlanContext<R>): Promise<StagePlan>;
  run(task: TaskSpec, context: WorkContext): Promise<Produced>;
}

/**
 * A task of a stage, named by the stage's version, its options and `identity`: the artifacts whose bytes decide its own.
 * `inputs` adds those that it reads for what the options name already; default: `identity` alone.
 */
export function taskOf(
  stage: Pick<Stage, 'name' | 'version'>,
  of: Pick<TaskSpec, 'index' | 'title' | 'items' | 'options'> &
    Partial<Pick<TaskSpec, 'labels' | 'locators' | 'inputs'>> & { identity: string[] },
): TaskSpec {
  const { identity, labels = {}, locators = {}, inputs = identity, ...rest } = of;
  const named = { stage: stage.name, stageVersion: stage.version };
  return {
    ...rest,
    ...named,
    artifactId: artifactId({ ...named, options: of.options, inputs: identity }),
    labels,
    locators,
    inputs,
  };
}

/** A plan request with the recipe parsed and the store at hand. */
export interface PlanContext<R = Recipe> extends Omit<PlanRequest, 'recipe'> {
  recipe: R;
  store: ObjectStore;
}

/** What a worker hands to a task. */
export interface WorkContext {
  projectId: string;
  store: ObjectStore;
  runtime: ModelRuntime;
  images: { reader: ImageReader; codec: ImageCodec; tables: TableWriter; archives: ArchiveWriter; text: TextOutlines };
  /** The prior with this artifact id; one per process. */
  prior(artifactId: string): Promise<Prior>;
  /** Images per model call. */
  batch: number;
  signal: AbortSignal;
  onProgress(itemsDone: number): void;
}

/** What a task made, before it is published. */
export interface Produced {
  kind: string;
  /** A reference: it is in the store already, since it is too large to be held until the others are there. */
  blobs: Record<string, { bytes: Uint8Array; mediaType: string } | BlobReference>;
  content: JsonObject;
  metrics: Record<string, number>;
}
