import { type Stage } from '../stage.ts';
import { compare } from './compare.ts';
import { decode } from './decode.ts';
import { encode } from './encode.ts';
import { evaluate } from './evaluate.ts';
import { label } from './label.ts';
import { quantize } from './quantize.ts';
import { report } from './report.ts';
import { survey } from './survey.ts';

/** The way of the data, in order. */
export const STAGES: readonly Stage[] = [encode, survey, quantize, decode, label, compare, evaluate, report];
