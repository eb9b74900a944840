import { type JsonObject } from '../../base/json.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { readManifest } from '../artifacts.ts';
import { datasetContent } from '../dataset/version.ts';
import { changedClasses, sampledClass, type TestedClass } from '../drift/classes.ts';
import { driftDocument, type DriftMade } from '../drift/document.ts';
import { driftPage } from '../drift/page.ts';
import { type DriftRecipe } from '../drift/recipe.ts';
import { READS } from '../drift/reference.ts';
import { driftMetrics, type Verdict, verdictOf, type VerdictOptions } from '../drift/verdict.ts';
import { describedPrior } from '../prior/described.ts';
import { type Stage, taskOf } from '../stage.ts';

/**
 * What the tests of all classes say together, as figures (`drift.json`, described in schema/drift) and as a page for people. Its bytes
 * follow from the recipe alone.
 */
export const verdict: Stage<DriftRecipe> = {
  name: 'verdict',
  version: 1,

  async plan(context) {
    const { recipe, published, inputs, projectId, store } = context;
    const samples = published.get('sample') ?? [];
    const tests = published.get('drift') ?? [];
    const { digest, images } = datasetContent(await readManifest(store, projectId, inputs['datasetVersion']!));
    const prior = await describedPrior(store, projectId, inputs['prior']!);
    const { alpha, correction, minEffect, classChanges, samplesPerClass, seed } = recipe;
    const made: DriftMade = {
      datasetVersion: { digest, images },
      reference: { against: recipe.against, runId: recipe.referenceRunId!, codebooks: inputs['reference']! },
      prior: { name: prior.name, version: prior.version },
      ...{ samplesPerClass, seed },
    };
    const rules: VerdictOptions = { alpha, correction, minEffect, classChanges };
    const changed = await changedClasses(context);
    const identity = [...samples, ...tests].map(({ manifest }) => manifest.id);
    const { overall, classes } = verdictOf(
      samples.map((one) => {
        const sampled = sampledClass(one);
        const tested = tests.find(({ task }) => task.labels['class'] === sampled.className);
        return { sampled, tested: tested ? (tested.manifest.content as TestedClass) : null };
      }),
      changed,
      rules,
    );
    const options = { made, rules, overall, classes } as unknown as JsonObject;
    const task = taskOf(verdict, { index: 0, title: 'verdict', items: classes.length, options, identity });
    return { kind: 'tasks', tasks: [task] };
  },

  async run(task, { store, projectId, onProgress }) {
    const { made, rules, overall, classes } = task.options as unknown as VerdictTask;
    const manifests = await mapLimited(task.inputs, READS, (id) => readManifest(store, projectId, id));
    const tests = manifests.filter(({ kind }) => kind === 'driftTest').map(({ content }) => content as TestedClass);
    const document = driftDocument({ made, rules, overall, classes });
    const html = driftPage({ made, rules, overall, classes, tests });
    onProgress(classes.length);
    const text = (body: string, mediaType: string) => ({ bytes: new TextEncoder().encode(body), mediaType });
    return {
      kind: 'driftReport',
      blobs: {
        'drift.json': text(document, 'application/json'),
        'report.html': text(html, 'text/html'),
      },
      content: { overall, classes },
      metrics: driftMetrics(overall),
    };
  },
};

interface VerdictTask extends Verdict {
  made: DriftMade;
  rules: VerdictOptions;
}
