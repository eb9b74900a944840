import { type V1EnvVar, type V1Job } from '@kubernetes/client-node';
import { type PricedWork } from '../../engine/ports.ts';
import { type ExecutorClass, type ExecutorClasses } from './classes.ts';
import {
  ATTEMPTS,
  CONTAINER,
  INSTANCE,
  labelValue,
  MANAGED_BY,
  ORDERS,
  PROJECT,
  QUEUE_NAME,
  RUN,
  STAGE,
} from './names.ts';
import { EXIT_CODES } from './outcome.ts';

export interface JobRequest {
  name: string;
  instance: string;
  projectId: string;
  runId: string;
  work: PricedWork;
  /** By completion index. */
  attemptIds: readonly string[];
  /** Where the orders lie in the store. */
  ordersFolder: string;
  /** The image of classes that name none. */
  image: string;
  /** Settings that every worker needs; nothing secret. */
  env: Readonly<Record<string, string>>;
  classes: ExecutorClasses;
}

/** By then whoever started it has recorded how it ended, or never will. */
const KEPT_SECONDS = 7 * 24 * 3600;
const GRACE_SECONDS = 30;

/**
 * An Indexed Job whose indexes are attempts. Each index has one try, whatever ends it: retries are attempts of their own,
 * decided by the engine, which knows the reason and what has been spent. The Job's object is deleted once the outcome of each is
 * recorded; the time to live is for those of a service that never came back.
 */
export function jobOf(request: JobRequest): V1Job {
  const { name, work, attemptIds, classes, projectId, runId, instance } = request;
  const cls = classes.classFor(work);
  const labels = {
    ...classes.worker.labels,
    'app.kubernetes.io/name': 'pushforward-worker',
    [MANAGED_BY]: 'pushforward',
    [INSTANCE]: labelValue(instance),
    [PROJECT]: labelValue(projectId),
    [RUN]: labelValue(runId),
    [STAGE]: labelValue(work.stage),
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      labels: { ...labels, ...(cls.queue && { [QUEUE_NAME]: cls.queue }) },
      annotations: { [ATTEMPTS]: JSON.stringify(attemptIds), [ORDERS]: request.ordersFolder },
    },
    spec: {
      completionMode: 'Indexed',
      completions: attemptIds.length,
      parallelism: Math.min(attemptIds.length, classes.parallelismFor(work)),
      // A queue that was named is never passed by: Kueue admits the Job by resuming it, and nobody else touches that.
      ...(cls.queue && { suspend: true }),
      backoffLimitPerIndex: 0,
      // Two pods of one index overlap as little as can be.
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          {
            action: 'FailIndex',
            onExitCodes: { containerName: CONTAINER, operator: 'In', values: [EXIT_CODES.userError] },
          },
          // Not ignored: the Job would begin the index again behind the engine's back.
          { action: 'FailIndex', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      },
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { labels, annotations: classes.worker.annotations },
        spec: podSpec(request, cls),
      },
    },
  };
}

type PodSpec = NonNullable<NonNullable<V1Job['spec']>['template']['spec']>;

/** Fits the `restricted` pod security standard. */
function podSpec({ classes: { worker }, ordersFolder, image, env }: JobRequest, cls: ExecutorClass): PodSpec {
  const variables: V1EnvVar[] = [
    ...Object.entries(env).map(([name, value]) => ({ name, value })),
    ...worker.env,
    { name: 'PUSHFORWARD_TASK', value: ordersFolder },
  ];
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    ...(worker.serviceAccountName && { serviceAccountName: worker.serviceAccountName }),
    imagePullSecrets: worker.imagePullSecrets.map((name) => ({ name })),
    nodeSelector: cls.nodeSelector,
    tolerations: cls.tolerations,
    ...(cls.priorityClassName && { priorityClassName: cls.priorityClassName }),
    ...(cls.runtimeClassName && { runtimeClassName: cls.runtimeClassName }),
    ...(cls.deadlineMinutes !== undefined && { activeDeadlineSeconds: Math.ceil(cls.deadlineMinutes * 60) }),
    volumes: [{ name: 'tmp', emptyDir: {} }],
    containers: [
      {
        name: CONTAINER,
        image: cls.image ?? image,
        imagePullPolicy: worker.imagePullPolicy,
        ...(worker.command && { command: worker.command }),
        env: variables,
        envFrom: worker.envFromSecrets.map((name) => ({ secretRef: { name } })),
        resources: cls.resources,
        terminationMessagePolicy: 'File',
        securityContext: {
          runAsNonRoot: true,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      },
    ],
  };
}
