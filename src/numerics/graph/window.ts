import { intOf, intsOf, refused, textOf } from './attributes.ts';
import { type Attributes } from './graph.ts';
import { type Call } from './operator.ts';

/** How a kernel moves over height and width. Pairs are (height, width). */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
}

/** @throws INVALID_INPUT naming the node if the window is not one of height and width */
export function windowOf(call: Call, kernel: readonly number[]): Window {
  const { attributes } = call;
  const autoPad = textOf(attributes, 'auto_pad', 'NOTSET');
  if (autoPad !== 'NOTSET' && autoPad !== 'VALID')
    throw refused(call, 'explicit pads', `auto_pad ${autoPad}`, 'export it with pads');
  if (kernel.length !== 2) throw refused(call, 'a kernel of height and width', `${kernel.length} axes`, 'use images');
  if (intOf(attributes, 'ceil_mode', 0) !== 0) throw refused(call, 'ceil_mode 0', '1', 'export it with ceil_mode 0');
  return {
    kernel: kernel as [number, number],
    strides: intsOf(attributes, 'strides', [1, 1]) as [number, number],
    dilations: intsOf(attributes, 'dilations', [1, 1]) as [number, number],
    pads: intsOf(attributes, 'pads', [0, 0, 0, 0]) as [number, number, number, number],
  };
}

export const windowAttributes = ({ kernel, strides, dilations, pads }: Window): Attributes => ({
  kernel_shape: kernel,
  strides,
  dilations,
  pads,
});

/** Height (axis 0) or width (axis 1) of what a window gives; 0 or less where it does not fit. */
export function outputLength({ kernel, strides, dilations, pads }: Window, length: number, axis: 0 | 1): number {
  const room = length + pads[axis] + pads[axis + 2]! - dilations[axis] * (kernel[axis] - 1) - 1;
  return room < 0 ? 0 : Math.floor(room / strides[axis]) + 1;
}

/** @param size height and width @throws INVALID_INPUT naming the node if the window is larger than the padded image */
export function outputSize(call: Call, window: Window, size: readonly number[]): [number, number] {
  const result: [number, number] = [outputLength(window, size[0]!, 0), outputLength(window, size[1]!, 1)];
  if (result.some((length) => length < 1))
    throw refused(
      call,
      `an image that a ${window.kernel.join('x')} window fits into`,
      size.join('x'),
      'use larger images',
    );
  return result;
}
