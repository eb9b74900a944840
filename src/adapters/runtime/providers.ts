import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { PushforwardError } from '../../base/errors.ts';
import { type ProviderName } from '../../pipeline/ports.ts';
import { productGraph } from './product-graph.ts';

export type ChosenProvider = Exclude<ProviderName, 'auto'>;

/**
 * `allow_spinning`: threads sleep between operators instead of waiting busily. Measured with 2 threads on 2 cores over 30
 * products of 1300x4096 by 4096x50, 10 ms apart: 120 ms of CPU instead of 418, at 1.9 ms a product either way.
 * CUDA's TF32 would break the accuracy that numerics/math/product.ts promises.
 */
export function sessionOptions(provider: ChosenProvider, threads: number): InferenceSession.SessionOptions {
  const providers: Record<ChosenProvider, InferenceSession.ExecutionProviderConfig[]> = {
    cpu: ['cpu'],
    webgpu: ['webgpu', 'cpu'],
    cuda: [{ name: 'cuda', use_tf32: '0' } as InferenceSession.ExecutionProviderConfig, 'cpu'],
  };
  return {
    executionProviders: providers[provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

/**
 * What `auto` means here, or the provider that was asked for after a product of one by one was computed on it.
 * @throws PROVIDER_UNAVAILABLE naming the remedy
 */
export async function chooseProvider(asked: ProviderName): Promise<ChosenProvider> {
  if (asked === 'cpu') return 'cpu';
  if (asked !== 'auto') {
    const reason = await whyNot(asked);
    if (reason === null) return asked;
    throw new PushforwardError(
      'PROVIDER_UNAVAILABLE',
      `expected the ${asked} provider, got an error (${reason}): ${REMEDIES[asked]}, or ask for cpu or auto`,
      { provider: asked },
    );
  }
  if (
    listSupportedBackends().some(({ name, bundled }) => name === 'cuda' && bundled) &&
    (await whyNot('cuda')) === null
  ) {
    return 'cuda';
  }
  return hasGpu() && (await whyNot('webgpu')) === null ? 'webgpu' : 'cpu';
}

/** What the provider runs on, as far as the machine says. */
export function deviceOf(provider: ChosenProvider): string {
  if (provider === 'cpu') return cpus()[0]?.model.trim() || process.arch;
  return nvidiaModels()[0] ?? `default ${provider} device`;
}

const REMEDIES = {
  webgpu: 'run on a machine with a GPU and its Vulkan driver (libvulkan1, and VK_ICD_FILENAMES if it is not found)',
  cuda: "install onnxruntime-node's CUDA libraries with CUDA 12 and cuDNN 9, and give the process a GPU",
} as const;

/** Why a provider cannot be used, or null if it can. */
async function whyNot(provider: 'webgpu' | 'cuda'): Promise<string | null> {
  try {
    const session = await InferenceSession.create(productGraph(false), {
      ...sessionOptions(provider, 1),
      executionProviders: sessionOptions(provider, 1).executionProviders!.slice(0, 1),
    });
    const one = new Tensor('float32', Float32Array.of(1), [1, 1]);
    await session.run({ a: one, b: one });
    await session.release();
    return null;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1)!.slice(-300);
  }
}

/** Whether it is worth while to ask for a WebGPU adapter: a driver without a device writes its complaints to stderr. */
function hasGpu(): boolean {
  if (process.platform !== 'linux') return true;
  return nvidiaModels().length > 0 || namesIn('/dev/dri').some((name) => name.startsWith('renderD'));
}

function nvidiaModels(): string[] {
  return namesIn('/proc/driver/nvidia/gpus').flatMap((name) => {
    try {
      const text = readFileSync(`/proc/driver/nvidia/gpus/${name}/information`, 'utf8');
      return /^Model:\s*(.+)$/m.exec(text)?.[1] ?? [];
    } catch {
      return [];
    }
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
