import { type Operators } from '../operator.ts';
import { ACTIVATIONS } from './activations.ts';
import { CONVOLUTIONS } from './convolutions.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { NORMALIZATIONS } from './normalizations.ts';
import { POOLING } from './pooling.ts';
import { PRODUCTS } from './products.ts';
import { REDUCTIONS } from './reductions.ts';
import { SHAPES } from './shapes.ts';
import { SOFTMAX } from './softmax.ts';

/** Every operator that a graph may have, by its name in ONNX. */
export const OPERATORS: Operators = {
  ...ACTIVATIONS,
  ...CONVOLUTIONS,
  ...ELEMENTWISE,
  ...NORMALIZATIONS,
  ...POOLING,
  ...PRODUCTS,
  ...REDUCTIONS,
  ...SHAPES,
  ...SOFTMAX,
};
