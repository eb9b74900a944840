import { crashPoint } from '../base/crash-points.ts';
import { PushforwardError } from '../base/errors.ts';
import { type ArtifactManifest, type BlobReference, type Publications, type TaskSpec } from '../engine/ports.ts';
import { putBlob } from './artifacts.ts';
import { type WorkContext } from './stage.ts';
import { ALL_STAGES } from './stages/index.ts';

/**
 * Carries one task out and publishes what it made: blobs first, then the manifest that makes them count. Whoever comes
 * second adopts the manifest that is there.
 */
export async function carryOut(
  task: TaskSpec,
  context: WorkContext,
  publications: Publications,
): Promise<ArtifactManifest> {
  const stage = ALL_STAGES.find((candidate) => candidate.name === task.stage);
  if (stage?.version !== task.stageVersion) {
    throw new PushforwardError(
      'INTERNAL',
      `expected stage ${task.stage} at version ${task.stageVersion}, got ${stage?.version ?? 'none'}: run the worker of the same release as the service`,
    );
  }
  const made = await stage.run(task, context);
  const blobs: Record<string, BlobReference> = {};
  for (const [name, blob] of Object.entries(made.blobs)) {
    blobs[name] = 'sha256' in blob ? blob : await putBlob(context.store, context.projectId, blob.bytes, blob.mediaType);
    crashPoint('blob.put');
  }
  crashPoint('manifest.unpublished');
  const published = await publications.publish(context.projectId, {
    formatVersion: 1,
    id: task.artifactId,
    stage: task.stage,
    stageVersion: task.stageVersion,
    kind: made.kind,
    options: task.options,
    inputs: task.inputs,
    blobs,
    content: made.content,
    metrics: made.metrics,
    produced: { ...context.runtime.describe(), images: context.images.codec.describe() },
  });
  crashPoint('manifest.published');
  return published;
}
