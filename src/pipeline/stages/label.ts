import { type TaskSpec } from '../../engine/ports.ts';
import { type JsonObject } from '../../base/json.ts';
import { softmax } from '../../numerics/math/softmax.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { readTensors } from '../latents.ts';
import { describedPrior, labelMode, teacherIndexOf } from '../prior/described.ts';
import { taskOf, type Stage } from '../stage.ts';

/**
 * Images to soft labels, one class a task: the teacher's probabilities at a temperature, over the classes of the run.
 */
export const label: Stage = {
  name: 'label',
  version: 1,

  async plan({ recipe, published, inputs, projectId, store }) {
    const prior = await describedPrior(store, projectId, inputs['prior']!);
    if (labelMode(recipe, prior) === 'NONE') {
      const why = recipe.labels.mode === 'NONE' ? 'the recipe asks for no soft labels' : 'the prior has no teacher';
      return { kind: 'skip', reason: why };
    }
    const images = published.get('decode') ?? [];
    const classes = images.map((entry) => entry.manifest.content['className'] as string);
    const logits = classes.map((name) => teacherIndexOf(prior, name));
    const tasks = images.map((entry, index): TaskSpec => {
      const options: JsonObject = {
        teacher: prior.files['teacher/model.onnx']!.sha256,
        normalisation: [prior.teacher!.imageMean, prior.teacher!.imageStd],
        temperature: recipe.labels.temperature,
        className: classes[index]!,
        // the teacher's logits of the run's classes, in the order of the columns, and the column of this class
        logits,
        column: index,
      };
      return taskOf(label, {
        index,
        title: classes[index]!,
        labels: { class: classes[index]! },
        items: entry.manifest.metrics['images']!,
        options,
        locators: { prior: inputs['prior']! },
        identity: [entry.manifest.id],
        inputs: [entry.manifest.id, inputs['prior']!],
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as {
      className: string;
      logits: number[];
      column: number;
      temperature: number;
    };
    const prior = await context.prior(task.locators['prior'] as string);
    const { images } = await readTensors(context.store, context.projectId, task.inputs[0]!, 'images.safetensors');
    const [n, ...imageShape] = images!.shape as [number, ...number[]];
    const size = imageShape.reduce((a, b) => a * b, 1);
    const c = options.logits.length;
    const probabilities = new Float32Array(n * c);
    let agreed = 0;
    for (let from = 0; from < n; from += context.batch) {
      const to = Math.min(n, from + context.batch);
      const logits = await prior.teach((images!.data as Uint8Array).subarray(from * size, to * size));
      const width = logits.length / (to - from);
      for (let i = from; i < to; i++) {
        const row = options.logits.map((column) => logits[(i - from) * width + column]!);
        if (row.indexOf(Math.max(...row)) === options.column) agreed++;
        probabilities.set(softmax(row, options.temperature), i * c);
      }
      context.onProgress(to);
    }
    const bytes = writeSafetensors({ softLabels: { type: 'float32', data: probabilities, shape: [n, c] } });
    return {
      kind: 'softLabels',
      blobs: { 'labels.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
      content: { className: options.className },
      metrics: { images: n, teacherAgreement: agreed / n },
    };
  },
};
