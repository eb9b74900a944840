import { digestOf, type JsonObject } from '../../src/base/json.ts';
import { type ArtifactManifest, type AttemptOrder, type TaskSpec } from '../../src/engine/ports.ts';

/** A task that is named by its stage, index, options and inputs. */
export function taskOf(of: {
  stage: string;
  index?: number;
  options?: JsonObject;
  inputs?: string[];
  items?: number;
}): TaskSpec {
  const { stage, index = 0, options = {}, inputs = [], items = 2 } = of;
  return {
    artifactId: digestOf({ stage, index, options, inputs }),
    stage,
    stageVersion: 1,
    index,
    title: `${stage} ${index}`,
    labels: { class: `class ${index}` },
    items,
    options,
    inputs,
    locators: {},
  };
}

export function manifestOf(task: TaskSpec): ArtifactManifest {
  return {
    formatVersion: 1,
    id: task.artifactId,
    stage: task.stage,
    stageVersion: task.stageVersion,
    kind: 'latents',
    options: task.options,
    inputs: task.inputs,
    blobs: { data: { sha256: digestOf(task.artifactId), bytes: 100, mediaType: 'application/octet-stream' } },
    content: {},
    metrics: { index: task.index },
    produced: {},
  };
}

export function orderOf(task: TaskSpec, attemptId = 'attempt_1'): AttemptOrder {
  return { attemptId, projectId: 'project_1', runId: 'run_1', task, execution: {}, halvings: 0, traceparent: null };
}
