import { type ClassRow } from '../../src/pipeline/report/figures.ts';

/** A row of the report: of a class that was neither surveyed, compared nor labelled. */
export const classRow = (more: Partial<ClassRow> = {}): ClassRow => ({
  name: 'cat',
  n: 1000,
  k: 2,
  w2Weighted: 1.5,
  w2Uniform: 2,
  reduction: 0.25,
  ess: 1.6,
  heldoutN: 0,
  heldoutW2: null,
  restartSpread: 0.01,
  intrinsicDimension: null,
  intrinsicDimensionLow: null,
  intrinsicDimensionHigh: null,
  slope: null,
  slopeLow: null,
  slopeHigh: null,
  curve: null,
  teacherAgreement: null,
  ...more,
});

/** What 1 to 10 points leave of a class. */
export const CURVE = [1, 2, 5, 10].map((k) => ({
  k,
  distortion: 9 / k ** 0.3,
  heldoutDistortion: 10 / k ** 0.2,
  w2: 3 / k ** 0.15,
  spread: 0.01 * k,
}));

/** The figures that a survey adds. */
export const SURVEYED = {
  intrinsicDimension: 8,
  intrinsicDimensionLow: 7,
  intrinsicDimensionHigh: 9,
  slope: -0.15,
  slopeLow: -0.2,
  slopeHigh: -0.1,
  curve: CURVE,
};
