import { type Classifier, type ImageSize } from '../classifier.ts';
import { add, relu } from '../functions.ts';
import { type Value } from '../graph.ts';
import { convolution, dense, normalization, type Applied, type Layer, type Layers } from './layers.ts';

export interface ResNetOptions {
  image: ImageSize;
  classes: number;
  /** Channels of the four groups of blocks; default 64, 128, 256, 512. */
  widths?: readonly number[];
}

/**
 * ResNet-18 for small images: He et al., arXiv 1512.03385, table 1, with a 3x3 stem of stride 1 and no max-pooling. Two blocks a
 * group, a group after the first halves height and width. Names are torchvision's.
 */
export function resNet18({ image, classes, widths = [64, 128, 256, 512] }: ResNetOptions): Classifier {
  const layers: Layers = { parameters: [], statistics: [] };
  const convolve = (name: string, inputs: number, outputs: number, kernel: number, stride: number) =>
    convolution(layers, name, inputs, outputs, { kernel, stride, bias: false, start: 'by outputs' });
  const normalize = (name: string, channels: number) => normalization(layers, name, channels, 'batch');

  /** relu(F(x) + x), or + a 1x1 convolution of x where the shape changes. */
  function block(name: string, inputs: number, outputs: number, stride: number): Layer {
    const first = [convolve(`${name}.conv1`, inputs, outputs, 3, stride), normalize(`${name}.bn1`, outputs)];
    const second = [convolve(`${name}.conv2`, outputs, outputs, 3, 1), normalize(`${name}.bn2`, outputs)];
    const shortcut =
      stride === 1 && inputs === outputs
        ? []
        : [convolve(`${name}.downsample.0`, inputs, outputs, 1, stride), normalize(`${name}.downsample.1`, outputs)];
    const through = (x: Value, those: readonly Layer[], applied: Applied) =>
      those.reduce((value, layer) => layer(value, applied), x);
    return (x, applied) => {
      const inner = relu(applied.g, through(x, first, applied));
      return relu(applied.g, add(applied.g, through(inner, second, applied), through(x, shortcut, applied)));
    };
  }

  const stem = [convolve('conv1', image.channels, widths[0]!, 3, 1), normalize('bn1', widths[0]!)];
  const blocks = widths.flatMap((width, group) => [
    block(`layer${group + 1}.0`, widths[group - 1] ?? width, width, group === 0 ? 1 : 2),
    block(`layer${group + 1}.1`, width, width, 1),
  ]);
  const classify = dense(layers, 'fc', widths.at(-1)!, classes);
  return {
    ...{ image, classes, ...layers },
    apply(g, images, valueOf, mode) {
      const applied: Applied = { g, valueOf, mode, statistics: {} };
      let x = relu(g, stem[1]!(stem[0]!(images, applied), applied));
      for (const layer of blocks) x = layer(x, applied);
      const pooled = g.node('GlobalAveragePool', [x])[0]!;
      const flat = g.node('Flatten', [pooled])[0]!;
      return { logits: classify(flat, applied), statistics: applied.statistics };
    },
  };
}
