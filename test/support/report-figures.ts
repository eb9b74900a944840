import { classBalance } from '../../src/pipeline/dataset/balance.ts';
import { type ClassRow, type ReportFigures } from '../../src/pipeline/report/figures.ts';
import { classRow, SURVEYED } from './class-row.ts';

/** What the compare stage found of a class. */
export const COMPARED = {
  w2Balanced: 1.6,
  reductionBalanced: 0.0625,
  w2D4mMean: 2.5,
  w2D4mDeviation: 0.1,
  reductionD4m: 0.4,
  w2Decoded: 1.75,
  w2DecodedBias: 0.25,
  nearestRatio: 0.66,
  energyDecoded: 0.5,
  energyRefit: 0.25,
  w2Refit: 1.8,
  essRefit: 1.5,
};

/** Of a run over these classes, of which nothing was surveyed, compared or labelled unless a row says so. */
export function reportFigures(classes: ClassRow[], name = 'run'): ReportFigures {
  const stages = ['encode', 'survey', 'quantize', 'decode', 'label', 'compare'];
  return {
    title: name,
    datasetVersion: {
      digest: 'd',
      images: 1000,
      bytes: 2_500_000,
      balance: classBalance([
        { name, images: 600 },
        { name: 'dog', images: 400 },
      ]),
      duplicates: { withinClass: 3, acrossClasses: 0 },
    },
    prior: { id: 'p', name, version: '1', license: name },
    classes,
    stages: [{ name: 'encode', artifacts: 1, items: 1000, seconds: 4, costUsd: 0.002 }],
    timeline: { stages: [{ name: 'encode', spans: [[0, 4]] }], seconds: 4, pauses: [] },
    lineage: {
      nodes: ['datasetVersion', 'prior', ...stages, 'dataset', 'page'].map((key) => ({ key, artifacts: 2, id: null })),
      edges: [
        ['datasetVersion', 'encode'],
        ['prior', 'encode'],
        ['encode', 'survey'],
        ['encode', 'quantize'],
        ['quantize', 'decode'],
        ['decode', 'label'],
        ['decode', 'compare'],
        ['label', 'dataset'],
        ['survey', 'page'],
        ['compare', 'page'],
        ['label', 'page'],
      ],
    },
    images: 2,
    weights: { exponent: 1, refit: false },
    recipe: { note: name },
  };
}

/** Everything that a page may show, of so many classes: some of them with something to warn of. */
export function fullFigures(classes: number): ReportFigures {
  const rows = Array.from({ length: classes }, (_, i) => {
    const factor = 1 + (((i * 37) % 23) - 11) / 40;
    const w2Weighted = 2.4 * factor;
    return classRow({
      ...SURVEYED,
      ...COMPARED,
      ...{ name: i % 7 === 3 ? `class with a long name ${i}` : `class ${i}`, k: 10, n: 1300, heldoutN: 130 },
      ...{ w2Weighted, w2Uniform: w2Weighted * 1.3, reduction: 0.23, heldoutW2: w2Weighted * 1.05 },
      ...{ w2Balanced: w2Weighted * 1.04, reductionBalanced: 0.04 - (i % 5) / 100, w2D4mMean: w2Weighted * 1.4 },
      ...{ reductionD4m: 0.28, ess: 4 + ((i * 13) % 50) / 10, teacherAgreement: 0.9 },
      w2Decoded: w2Weighted * (i % 9 === 1 ? 1.8 : 1.1),
      restartSpread: i % 11 === 0 ? 0.07 : 0.004,
    });
  });
  const stage = (name: string, artifacts: number, from: number, seconds: number) => ({
    row: { name, artifacts, items: 1300 * classes, seconds, costUsd: seconds * 0.0001 },
    time: { name, spans: [[from, from + seconds]] as [number, number][] },
  });
  const stages = [
    stage('encode', 2 * classes, 0, 40),
    stage('survey', classes, 41, 9),
    stage('quantize', classes, 51, 12),
    stage('decode', classes, 64, 55),
    stage('label', classes, 120, 2),
    stage('compare', classes, 123, 14),
  ];
  const all = reportFigures(rows, `${classes} classes, 10 images each`);
  return {
    ...all,
    images: 10 * classes,
    stages: stages.map(({ row }) => row),
    timeline: { stages: stages.map(({ time }) => time), seconds: 137, pauses: [50] },
  };
}
