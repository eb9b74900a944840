import { toErrorRecord } from '../base/errors.ts';
import { type SpanRecord } from '../engine/ports.ts';
import { nowMs, type StoreCall } from './observed-store.ts';
import { type Prior } from './prior/model.ts';

/**
 * Spans of one order: a batch through a model, and a call of the store. Of each kind the first is told and then every
 * sixteenth; `pushforward.sequence` counts them all. Ones that failed are always told.
 */
export interface WorkSpans {
  storeCall(call: StoreCall): void;
  /** The same prior, whose calls of models are told. */
  observe(prior: Prior): Prior;
  /** Hands on what is left. */
  end(): void;
}

const EVERY = 16;

/** Told together, so that a worker that dies takes few with it. */
const GATHERED = 32;

export function createWorkSpans(tell: (spans: SpanRecord[]) => void): WorkSpans {
  const sampled = createSampler();
  let gathered: SpanRecord[] = [];

  function add(span: SpanRecord): void {
    const sequence = sampled(span.name, span.error !== null);
    if (sequence === null) return;
    gathered.push({ ...span, attributes: { ...span.attributes, ...sequenceOf(sequence) } });
    if (gathered.length >= GATHERED) end();
  }

  function end(): void {
    if (gathered.length > 0) tell(gathered);
    gathered = [];
  }

  async function batch<T>(model: string, images: number, work: () => Promise<T>): Promise<T> {
    const startMs = nowMs();
    let error: string | null = null;
    try {
      return await work();
    } catch (thrown) {
      error = toErrorRecord(thrown).code;
      throw thrown;
    } finally {
      add({
        name: `batch ${model}`,
        startMs,
        endMs: nowMs(),
        attributes: { 'pushforward.batch.images': images },
        error,
      });
    }
  }

  return {
    storeCall: (call) => add(spanOfStoreCall(call)),
    observe(prior) {
      const { image, latent } = prior.description;
      const pixels = image.width * image.height * image.channels;
      const d = latent.width * latent.height * latent.channels;
      return {
        description: prior.description,
        encode: (of) => batch('encode', of.length / pixels, () => prior.encode(of)),
        decode: (of) => batch('decode', of.length / d, () => prior.decode(of)),
        denoise: (of, timestep, classIds) =>
          batch('denoise', of.length / d, () => prior.denoise(of, timestep, classIds)),
        teach: (of) => batch('teach', of.length / pixels, () => prior.teach(of)),
      };
    },
    end,
  };
}

export function spanOfStoreCall({ operation, startMs, endMs, bytes, error }: StoreCall): SpanRecord {
  return { name: `store ${operation}`, startMs, endMs, attributes: { 'pushforward.store.bytes': bytes }, error };
}

/** Answers with the number of a call among those of its name, from 1; null for one that is not told. */
export function createSampler(): (name: string, always: boolean) => number | null {
  const counts = new Map<string, number>();
  return (name, always) => {
    const sequence = (counts.get(name) ?? 0) + 1;
    counts.set(name, sequence);
    return always || sequence === 1 || sequence % EVERY === 0 ? sequence : null;
  };
}

export const sequenceOf = (sequence: number) => ({ 'pushforward.sequence': sequence });
