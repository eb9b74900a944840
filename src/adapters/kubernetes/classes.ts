import { readFileSync } from 'node:fs';
import { loadYaml } from '@kubernetes/client-node';
import { z } from 'zod';
import { invalid } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { type Price, type PricedWork, priceOn } from '../../engine/ports.ts';

/**
 * The file of executor classes (YAML or JSON): which kinds of pods there are, what a stage runs on and what it costs.
 * Names and values are those of Kubernetes where it has them. Unknown fields are errors.
 */
const quantities = z.record(z.string().min(1), z.union([z.string().min(1), z.number().min(0)]).transform(String));

const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().optional(),
});

const variable = z.union([
  z.strictObject({ name: z.string().min(1), value: z.string() }),
  z.strictObject({
    name: z.string().min(1),
    valueFrom: z.strictObject({
      secretKeyRef: z.strictObject({ name: z.string().min(1), key: z.string().min(1) }),
    }),
  }),
]);

const executorClass = z.strictObject({
  /** US dollars per hour of one pod, from when it has a node until it ends. */
  priceUsdPerHour: z.number().min(0),
  /** Pods of a run's stage at once, where the recipe does not ask for fewer. */
  parallelism: z.int().min(1).max(10_000).default(16),
  /** Of the worker's container, for example `requests: {cpu: 4}`, `limits: {nvidia.com/gpu: 1, memory: 16Gi}`. */
  resources: z.strictObject({ requests: quantities.default({}), limits: quantities.default({}) }).prefault({}),
  nodeSelector: z.record(z.string(), z.string()).default({}),
  /** Spot nodes are told by a taint, so tolerating it is what makes a class of spot nodes. */
  tolerations: z.array(toleration).default([]),
  priorityClassName: z.string().min(1).optional(),
  runtimeClassName: z.string().min(1).optional(),
  /** Kueue's local queue; its Jobs are created suspended, and Kueue admits them. */
  queue: z.string().min(1).optional(),
  /** An attempt that takes longer fails with class `timeout`. */
  deadlineMinutes: z.number().min(0.01).max(100_000).optional(),
  /** Default: that of the service's settings. */
  image: z.string().min(1).optional(),
});

const schema = z.strictObject({
  /** The class of every stage that `stages` does not name and of every recipe that asks for none. */
  default: z.string().min(1),
  /** Stage name to class, for example `decode: gpu`. */
  stages: z.record(z.string(), z.string().min(1)).default({}),
  classes: z.record(z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/), executorClass),
  worker: z
    .strictObject({
      /** Absent: the image's entry point. */
      command: z.array(z.string()).min(1).optional(),
      env: z.array(variable).default([]),
      /** Secrets whose keys become variables: the credentials of the object store. */
      envFromSecrets: z.array(z.string().min(1)).default([]),
      imagePullSecrets: z.array(z.string().min(1)).default([]),
      imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
      serviceAccountName: z.string().min(1).optional(),
      /** Labels and annotations beside our own, for example of a service mesh. */
      labels: z.record(z.string(), z.string()).default({}),
      annotations: z.record(z.string(), z.string()).default({}),
    })
    .prefault({}),
  /** Attempts that are given to the cluster at once, running or waiting. */
  slots: z.int().min(1).max(100_000).default(2000),
  /** How long a pod may fail to get its image before its attempt fails. */
  imagePullMinutes: z.number().min(0.01).max(10_000).default(10),
  /** How long a pod may fit no node; a cluster that adds nodes needs a few minutes. */
  unschedulableMinutes: z.number().min(0.01).max(10_000).default(30),
});

export type ExecutorClass = z.infer<typeof executorClass> & { name: string };
export type Toleration = z.infer<typeof toleration>;

export interface ExecutorClasses extends Omit<z.infer<typeof schema>, 'classes' | 'default' | 'stages'> {
  /**
   * What an attempt runs on: the recipe's `execution.executorClass`, else that of its stage, else the default.
   * @throws INVALID_INPUT for a name that no class has
   */
  classFor(work: PricedWork): ExecutorClass;
  names: readonly string[];
  /** Of a pod that does such work. */
  price(work: PricedWork): Price;
  /** Pods at once of a run's stage of such work. */
  parallelismFor(work: PricedWork): number;
}

/** @throws INVALID_INPUT naming the file, the field, what was expected and what was received */
export function readExecutorClasses(path: string): ExecutorClasses {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalid(
      `expected a file of executor classes at ${path}, got ${(cause as Error).message}: correct PUSHFORWARD_EXECUTOR_CLASSES`,
    );
  }
  return parseExecutorClasses(text, path);
}

export function parseExecutorClasses(text: string, path = 'the executor classes'): ExecutorClasses {
  let content: unknown;
  try {
    content = loadYaml(text);
  } catch (cause) {
    throw invalid(`expected ${path} to be YAML or JSON, got ${(cause as Error).message}: correct the file`);
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const at = issue.path.map(String).join('.') || 'the top level';
    const what = issue.code === 'unrecognized_keys' ? `unknown field ${issue.keys.join(', ')}` : issue.message;
    throw invalid(`expected executor classes in ${path}, got at ${at}: ${what}: correct the file`);
  }
  const { classes, default: fallback, stages, ...rest } = parsed.data;
  const named = (name: string, where: string): ExecutorClass => {
    const found = Object.hasOwn(classes, name) ? classes[name] : undefined;
    if (found) return { ...found, name };
    throw invalid(
      `expected ${where} to name one of the executor classes ${Object.keys(classes).join(', ') || '(none)'}, got ${name}: correct the name`,
      { path: ['execution', 'executorClass'] },
    );
  };
  named(fallback, `default of ${path}`);
  for (const [stage, name] of Object.entries(stages)) named(name, `stages.${stage} of ${path}`);

  const prices = Object.fromEntries(Object.entries(classes).map(([name, one]) => [name, one.priceUsdPerHour]));
  const classFor = ({ stage, execution }: PricedWork): ExecutorClass => {
    const asked = execution['executorClass'];
    if (typeof asked === 'string') return named(asked, 'execution.executorClass');
    return named((Object.hasOwn(stages, stage) && stages[stage]) || fallback, path);
  };
  return {
    ...rest,
    classFor,
    names: Object.keys(classes),
    price: (work) => priceOn(prices, classFor(work).name),
    parallelismFor(work) {
      const { parallelism } = classFor(work);
      const asked = (work.execution as JsonObject)['parallelism'];
      return typeof asked === 'number' ? Math.min(asked, parallelism) : parallelism;
    },
  };
}
