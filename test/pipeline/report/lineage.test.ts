import { describe, expect, it } from 'vitest';
import { type Published } from '../../../src/engine/ports.ts';
import { lineageOf } from '../../../src/pipeline/report/lineage.ts';
import { lineagePlot } from '../../../src/pipeline/report/plots/lineage.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

function made(stage: string, inputs: string[], index = 0): Published {
  const task = taskOf({ stage, index, inputs });
  const usage = { allocatedSeconds: 1, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
  return { task, manifest: manifestOf(task), usage, costUsd: 0, recordedAt: new Date(0) };
}
const idOf = ({ manifest }: Published) => manifest.id;

const encode = [made('encode', ['v', 'p'], 0), made('encode', ['v', 'p'], 1)];
const quantize = [made('quantize', encode.map(idOf))];
const decode = [made('decode', [idOf(quantize[0]!), 'p'])];
const graph = lineageOf(
  { datasetVersion: 'v', prior: 'p' },
  new Map([
    ['encode', encode],
    ['quantize', quantize],
    ['label', []],
    ['decode', decode],
  ]),
  { dataset: [idOf(quantize[0]!), idOf(decode[0]!)] },
);

describe('the lineage of a page', () => {
  it('has what came from what, without what a longer way says as well', () => {
    expect(graph.edges).toEqual([
      ['datasetVersion', 'encode'],
      ['prior', 'encode'],
      ['encode', 'quantize'],
      ['quantize', 'decode'],
      ['decode', 'dataset'],
    ]);
    expect(graph.nodes).toEqual([
      { key: 'datasetVersion', artifacts: 1, id: null },
      { key: 'prior', artifacts: 1, id: null },
      { key: 'encode', artifacts: 2, id: null },
      { key: 'quantize', artifacts: 1, id: idOf(quantize[0]!) },
      { key: 'decode', artifacts: 1, id: idOf(decode[0]!) },
      { key: 'dataset', artifacts: 1, id: null },
    ]);
  });

  it('is drawn with a box for each, and told in words', () => {
    const svg = lineagePlot(graph, { prior: '<b>', datasetVersion: '9 images' });
    expect(svg.match(/<rect/g)).toHaveLength(6);
    expect(svg).toContain('Latents from Prior; Codebooks from Latents');
    expect(svg).toContain('2 artifacts');
    expect(svg).toContain('&#60;b&#62;');
    expect(svg).not.toMatch(/NaN|undefined|<b>/);
  });
});
