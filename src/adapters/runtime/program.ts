import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { invalid } from '../../base/errors.ts';
import { shapeText, sizeOf, type Graph, type StateTensor, type Value } from '../../numerics/graph/graph.ts';
import { type Program, type ProgramRun } from '../../pipeline/ports.ts';

/**
 * A session as a program. The state has two sets of buffers, which take turns: the runtime reads one and writes the other in place, so
 * that a step copies no parameter. The other inputs and outputs have one buffer each, made once.
 */
export function programOf(session: InferenceSession, graph: Graph, state: readonly StateTensor[]): Program {
  const kept = new Set(state.flatMap(({ name, next }) => [name, next]));
  const fed = graph.inputs.filter(({ name }) => !kept.has(name));
  const told = graph.outputs.filter(({ name }) => !kept.has(name));
  return {
    begin(initial): ProgramRun {
      let before = state.map(({ name, shape }) => tensorOf(shape, given(initial, name, shape).slice()));
      let after = state.map(({ shape }) => tensorOf(shape));
      const outputs = Object.fromEntries(told.map(({ name, shape }) => [name, tensorOf(shape)]));
      return {
        async step(feeds) {
          const inputs = fed.map(({ name, shape }) => [name, tensorOf(shape, given(feeds, name, shape))] as const);
          await session.run(
            Object.fromEntries([...inputs, ...state.map(({ name }, i) => [name, before[i]!] as const)]),
            { ...outputs, ...Object.fromEntries(state.map(({ next }, i) => [next, after[i]!])) },
          );
          [before, after] = [after, before];
          return Object.fromEntries(told.map(({ name }) => [name, outputs[name]!.data as Float32Array]));
        },
        state: () => Object.fromEntries(state.map(({ name }, i) => [name, (before[i]!.data as Float32Array).slice()])),
      };
    },
  };
}

const tensorOf = (shape: Value['shape'], data: Float32Array = new Float32Array(sizeOf(shape))): Tensor =>
  new Tensor('float32', data, shape);

function given(values: Readonly<Record<string, Float32Array>>, name: string, shape: readonly number[]): Float32Array {
  const data = values[name];
  if (data?.length === sizeOf(shape)) return data;
  throw invalid(
    `expected ${sizeOf(shape)} values of ${name}, whose shape is ${shapeText(shape)}, got ${data?.length ?? 'none'}: correct them`,
    { tensor: name },
  );
}
