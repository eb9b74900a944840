import { invalid } from '../../../base/errors.ts';
import { type Classifier, type ImageSize } from '../classifier.ts';
import { relu } from '../functions.ts';
import { sizeOf } from '../graph.ts';
import { convolution, dense, normalization, type Applied, type Layers } from './layers.ts';

export interface ConvNetOptions {
  image: ImageSize;
  classes: number;
  normalization: 'instance' | 'batch';
  /** Blocks, each of which halves height and width; default 3. */
  depth?: number;
  /** Channels of each block; default 128. */
  width?: number;
}

/**
 * ConvNet of Gidaris and Komodakis as dataset distillation uses it (Zhao, Mopuri and Bilen, arXiv 2006.05929): blocks of a
 * 3x3 convolution, normalization, ReLU and 2x2 mean pooling, then one dense layer.
 *
 * @throws INVALID_INPUT if the image is too small for the blocks
 */
export function convNet({ image, classes, normalization: kind, depth = 3, width = 128 }: ConvNetOptions): Classifier {
  const { channels, height, width: columns } = image;
  if (Math.min(height, columns) < 2 ** depth)
    throw invalid(
      `expected images of ${2 ** depth}x${2 ** depth} or more for ${depth} blocks, got ${height}x${columns}: use fewer`,
    );
  const layers: Layers = { parameters: [], statistics: [] };
  const blocks = Array.from({ length: depth }, (_, block) => ({
    convolve: convolution(layers, `features.${4 * block}`, block === 0 ? channels : width, width, {
      ...{ kernel: 3, bias: true, start: 'uniform' },
    }),
    normalize: normalization(layers, `features.${4 * block + 1}`, width, kind),
  }));
  const places = Math.floor(height / 2 ** depth) * Math.floor(columns / 2 ** depth);
  const classify = dense(layers, 'classifier', width * places, classes);
  return {
    ...{ image, classes, ...layers },
    apply(g, images, valueOf, mode) {
      const applied: Applied = { g, valueOf, mode, statistics: {} };
      let x = images;
      for (const { convolve, normalize } of blocks) {
        const active = relu(g, normalize(convolve(x, applied), applied));
        x = g.node('AveragePool', [active], { kernel_shape: [2, 2], strides: [2, 2] })[0]!;
      }
      const flat = g.node('Reshape', [x, g.constant(BigInt64Array.of(0n, BigInt(sizeOf(x.shape.slice(1)))), [2])])[0]!;
      return { logits: classify(flat, applied), statistics: applied.statistics };
    },
  };
}
