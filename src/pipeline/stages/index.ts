import { type JsonObject } from '../../base/json.ts';
import { type AnyRecipe, type DriftRecipe, isDrift } from '../drift/recipe.ts';
import { type Stage } from '../stage.ts';
import { compare } from './compare.ts';
import { decode } from './decode.ts';
import { drift } from './drift.ts';
import { encodeSample } from './encode-sample.ts';
import { encode } from './encode.ts';
import { evaluate } from './evaluate.ts';
import { label } from './label.ts';
import { quantize } from './quantize.ts';
import { report } from './report.ts';
import { sample } from './sample.ts';
import { survey } from './survey.ts';
import { verdict } from './verdict.ts';

/** The way of the data, in order. */
const DISTILLATION: readonly Stage[] = [encode, survey, quantize, decode, label, compare, evaluate, report];
const DRIFT: readonly Stage<DriftRecipe>[] = [sample, encodeSample, drift, verdict];

/** Of runs of either kind. Stages of one name carry the same tasks out. */
export const ALL_STAGES: readonly Pick<Stage, 'name' | 'version' | 'run'>[] = [
  ...DISTILLATION,
  ...DRIFT.filter(({ name }) => DISTILLATION.every((stage) => stage.name !== name)),
];

/** The stages of a run that was asked for this. @param recipe not checked yet, but for its kind */
export function stagesOf(recipe: AnyRecipe | JsonObject): readonly Stage<AnyRecipe>[] {
  return (isDrift(recipe) ? DRIFT : DISTILLATION) as readonly Stage<AnyRecipe>[];
}
