import { z } from 'zod';
import { invalid } from '../base/errors.ts';

/* What recipes of every kind have in common. */

export const tolerances = z
  .strictObject({
    /** How many corrupt images per class the run may leave out; each is counted and named. */
    corruptImages: z.int().min(0).default(0),
  })
  .prefault({});

export const execution = z
  .strictObject({
    provider: z.enum(['AUTO', 'CPU', 'WEBGPU', 'CUDA']).default('CPU'),
    /** Threads of one worker process. */
    threads: z.int().min(1).max(256).default(1),
    /** Images per model call. */
    batch: z.int().min(1).max(4096).default(128),
    /** Executor class of every stage; absent: what the service's settings say of each. */
    executorClass: z.string().min(1).max(63).optional(),
    /** Workers of a stage at once, where its executor class allows more. */
    parallelism: z.int().min(1).max(10_000).optional(),
  })
  .prefault({});

/**
 * What the schema makes of an input, defaults filled in.
 * @throws INVALID_INPUT naming the field, what was expected and what was received
 */
export function checkedBy<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(withoutNulls(input));
  if (parsed.success) return parsed.data;
  throw invalid(describe(parsed.error), { path: parsed.error.issues[0]?.path.map(String) ?? [] });
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0]!;
  const at = ['recipe', ...issue.path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys') {
    return `expected only known fields in ${at}, got ${issue.keys.join(', ')}: remove or correct the name`;
  }
  return `${at}: ${issue.message}: correct the value`;
}

/** GraphQL clients send null for what they leave out. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}
