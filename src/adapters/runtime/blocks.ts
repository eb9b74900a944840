import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createBuilder } from '../../numerics/graph/builder.ts';
import { graphFile } from './graph-file.ts';

/**
 * How many channels a block has in ONNX Runtime's convolutions on this CPU (16 with AVX-512, 8 with AVX2), or null where it
 * has none: told from where the second place of the first channel lies once the channels are in blocks.
 */
export async function blockLength(options: InferenceSession.SessionOptions): Promise<number | null> {
  const g = createBuilder();
  const blocks = g.node('nchwc.ReorderInput', [g.input('x', [1, CHANNELS, 1, 2])])[0]!;
  try {
    const session = await InferenceSession.create(graphFile(g.graph({ blocks })), options);
    const x = new Tensor(
      'float32',
      Float32Array.from({ length: 2 * CHANNELS }, (_, i) => i),
      [1, CHANNELS, 1, 2],
    );
    const { blocks: found } = await session.run({ x });
    await session.release();
    const length = (found!.data as Float32Array).indexOf(1);
    return length > 1 && CHANNELS % length === 0 ? length : null;
  } catch {
    return null;
  }
}

/** More than any block has. */
const CHANNELS = 64;
