import { env, InferenceSession } from 'onnxruntime-node';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { lower } from '../../numerics/graph/lowering.ts';
import { type Model, type ModelRuntime, type ProviderName } from '../../pipeline/ports.ts';
import { blockLength } from './blocks.ts';
import { graphFile } from './graph-file.ts';
import { modelOf } from './model.ts';
import { productGraph } from './product-graph.ts';
import { createProduct } from './product.ts';
import { programOf } from './program.ts';
import { chooseProvider, deviceOf, sessionOptions } from './providers.ts';

export interface ModelRuntimeOptions {
  /** `auto`: cuda, then webgpu, then cpu; `describe()` says which. Anything else is that or PROVIDER_UNAVAILABLE. */
  provider: ProviderName;
  /** Threads of one operator; operators run one after another. */
  threads: number;
}

/**
 * ONNX Runtime. A session that is made and released leaks memory (onnxruntime issue 25325), so there is one per model
 * and process; a process that has done its work ends.
 * @throws PROVIDER_UNAVAILABLE naming the remedy
 */
export async function createModelRuntime({ provider: asked, threads }: ModelRuntimeOptions): Promise<ModelRuntime> {
  if (!Number.isInteger(threads) || threads < 1)
    throw invalid(`expected threads of 1 or more, got ${threads}: correct it`);
  const provider = await chooseProvider(asked);
  const sessions = new Map<string, Promise<InferenceSession>>();
  const models = new Map<string, Promise<Model>>();
  let closed = false;

  function sessionFor(
    key: string,
    read: () => Promise<Uint8Array>,
    options = sessionOptions(provider, threads),
  ): Promise<InferenceSession> {
    const known = sessions.get(key);
    if (known) return known;
    if (closed) throw invalid('expected an open runtime, got one that was closed: create another');
    const session = read().then((bytes) => createSession(key, bytes, options));
    session.catch(() => sessions.delete(key));
    sessions.set(key, session);
    return session;
  }

  let block: Promise<number | null> | null = null;
  const blocks = () =>
    (block ??= provider === 'cpu' ? blockLength(sessionOptions(provider, 1)) : Promise.resolve(null));

  return {
    describe: () => ({
      provider,
      runtime: `onnxruntime-node ${env.versions.node}`,
      device: deviceOf(provider),
      threads,
    }),

    async load(key, read) {
      const known = models.get(key);
      if (known) return await known;
      const model = sessionFor(`model ${key}`, read).then((session) => modelOf(session, key));
      model.catch(() => models.delete(key));
      models.set(key, model);
      return await model;
    },

    async compile(key, graph, state) {
      const bytes = async () => graphFile(lower(graph, { block: await blocks() }));
      return programOf(await sessionFor(`graph ${key}`, bytes), graph, state);
    },

    product: createProduct(
      (transposeB, count) =>
        sessionFor(
          `product ${transposeB} on ${count}`,
          () => Promise.resolve(productGraph(transposeB)),
          sessionOptions(provider, count),
        ),
      provider === 'cpu' ? threads : 1,
    ),

    async close() {
      closed = true;
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      models.clear();
      for (const session of open) if (session.status === 'fulfilled') await session.value.release();
    },
  };
}

async function createSession(
  key: string,
  bytes: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, options);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new PushforwardError(
      'PRIOR_INVALID',
      `expected an ONNX model that ONNX Runtime ${env.versions.node} can load as ${key}, got ${message.trim()}: ` +
        'export it again with opset 17 and its weights inside',
      {},
      { cause },
    );
  }
}
