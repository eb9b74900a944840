import { type RandomStream } from '../math/random.ts';
import { sizeOf, type Value } from './graph.ts';
import { type Builder } from './operator.ts';

/** Where values begin. Bounds and deviations are those that PyTorch begins with. */
export type Initial =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'given'; readonly values: Float32Array };

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Recipes that let weights alone decay mean those of convolutions and products. */
  readonly role: 'weight' | 'bias' | 'norm';
  readonly initial: Initial;
}

/** A running statistic: not trained, changed by each step of training. */
export interface Statistic {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initial;
}

export interface ImageSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** An image classifier as what builds its graphs. Parameters and statistics are handed in by name. */
export interface Classifier {
  readonly image: ImageSize;
  readonly classes: number;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Statistic[];
  /**
   * @param images (n, channels, height, width), standardized as the data asks for
   * @param mode normalizations over batches take those of the batch in training, the running ones in inference
   * @returns logits (n, classes), and the statistics after the step, by name; none in inference
   */
  apply(
    g: Builder,
    images: Value,
    valueOf: (name: string) => Value,
    mode: 'training' | 'inference',
  ): { logits: Value; statistics: Readonly<Record<string, Value>> };
}

/** @param stream for this parameter alone */
export function initialValues({ shape, initial }: Parameter | Statistic, stream: RandomStream): Float32Array {
  const count = sizeOf(shape);
  switch (initial.kind) {
    case 'constant':
      return new Float32Array(count).fill(initial.value);
    case 'uniform':
      return Float32Array.from({ length: count }, (_, i) => initial.bound * (2 * stream.uniform(i) - 1));
    case 'normal':
      return Float32Array.from({ length: count }, (_, i) => initial.deviation * stream.normal(i));
    case 'given':
      return initial.values.slice();
  }
}
