import { type ModelRuntime, type ProviderName } from '../../pipeline/ports.ts';

export interface ModelRuntimeOptions {
  /** `auto`: cuda, then webgpu, then cpu; `describe()` says which. Anything else is that or PROVIDER_UNAVAILABLE. */
  provider: ProviderName;
  /** Threads of one operator; operators run one after another. */
  threads: number;
}

export async function createModelRuntime(_options: ModelRuntimeOptions): Promise<ModelRuntime> {
  throw new Error('being written');
}
