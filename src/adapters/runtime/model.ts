import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { type Model, type TensorData, type TensorSignature } from '../../pipeline/ports.ts';

/** A session as a model. Feeds are held to the signature, so that a wrong shape is named before it reaches the graph. */
export function modelOf(session: InferenceSession, name: string): Model {
  const inputs = session.inputMetadata.map(signatureOf);
  const outputs = session.outputMetadata.map(signatureOf);
  return {
    inputs,
    outputs,
    async run(feeds) {
      checkFeeds(inputs, feeds);
      const tensors = Object.entries(feeds).map(([input, { type, data, shape }]) => [
        input,
        new Tensor(type, data, shape),
      ]);
      const fetched = await session
        .run(Object.fromEntries(tensors) as Record<string, Tensor>)
        .catch((error: unknown) => Promise.reject(runFailure(error, name)));
      return Object.fromEntries(outputs.map((output) => [output.name, tensorData(output.name, fetched[output.name]!)]));
    },
  };
}

function signatureOf(metadata: InferenceSession.ValueMetadata): TensorSignature {
  if (!metadata.isTensor) return { name: metadata.name, type: 'not a tensor', shape: [] };
  const shape = metadata.shape.map((length) => (typeof length === 'number' ? length : null));
  return { name: metadata.name, type: metadata.type, shape };
}

function checkFeeds(inputs: readonly TensorSignature[], feeds: Record<string, TensorData>): void {
  const names = inputs.map((input) => input.name);
  const given = Object.keys(feeds);
  if (given.length !== names.length || !names.every((name) => given.includes(name))) {
    throw invalid(`expected the inputs ${names.join(', ')}, got ${given.join(', ') || 'none'}: feed each of them`);
  }
  for (const { name, type, shape } of inputs) {
    const feed = feeds[name]!;
    const fits =
      feed.type === type &&
      feed.shape.length === shape.length &&
      shape.every((length, axis) => length === null || length === feed.shape[axis]);
    if (!fits) {
      throw invalid(
        `expected input ${name} as ${type} of shape ${shapeText(shape)}, got ${feed.type} of shape ${shapeText(feed.shape)}: ` +
          'feed what the model takes',
        { input: name },
      );
    }
    const count = feed.shape.reduce((product, length) => product * length, 1);
    if (count !== feed.data.length) {
      throw invalid(
        `expected ${count} elements for input ${name} of shape ${shapeText(feed.shape)}, got ${feed.data.length}: correct the shape`,
        { input: name },
      );
    }
  }
}

const shapeText = (shape: readonly (number | null)[]): string => `(${shape.map((length) => length ?? '?').join(', ')})`;

function tensorData(name: string, tensor: Tensor): TensorData {
  const shape = [...tensor.dims];
  switch (tensor.type) {
    case 'float32':
    case 'float64':
    case 'int64':
    case 'int32':
    case 'uint8':
      return { type: tensor.type, data: tensor.data, shape } as TensorData;
    default:
      throw new PushforwardError(
        'PRIOR_INVALID',
        `expected output ${name} as float32, float64, int64, int32 or uint8, got ${tensor.type}: export the model with float32 outputs`,
      );
  }
}

function runFailure(cause: unknown, name: string): PushforwardError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/bad_alloc|failed to allocate|out of memory|BFCArena/i.test(message)) {
    return new PushforwardError(
      'OUT_OF_MEMORY',
      `expected memory for one batch of model ${name}, got ${message}: lower execution.batch or give the worker more memory`,
      {},
      { cause },
    );
  }
  return new PushforwardError(
    'PRIOR_INVALID',
    `expected model ${name} to run, got ${message}: export it again with an open batch dimension`,
    {},
    { cause },
  );
}
