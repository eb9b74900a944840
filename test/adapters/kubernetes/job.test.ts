import { describe, expect, it } from 'vitest';
import { parseExecutorClasses } from '../../../src/adapters/kubernetes/classes.ts';
import { jobOf } from '../../../src/adapters/kubernetes/job.ts';

const classes = parseExecutorClasses(
  JSON.stringify({
    default: 'gpu',
    classes: {
      gpu: {
        priceUsdPerHour: 1,
        parallelism: 2,
        deadlineMinutes: 90,
        queue: 'research',
        priorityClassName: 'batch',
        nodeSelector: { pool: 'gpu' },
        tolerations: [{ key: 'spot', operator: 'Exists' }],
        resources: { limits: { 'nvidia.com/gpu': 1 } },
      },
      plain: { priceUsdPerHour: 1, image: 'other:1' },
    },
    worker: { env: [{ name: 'A', value: 'b' }], envFromSecrets: ['store'], imagePullSecrets: ['registry'] },
  }),
);

function made(executorClass = 'gpu', attempts = 3) {
  return jobOf({
    name: 'pf-1',
    instance: 'team',
    projectId: 'project_1',
    runId: 'run_1',
    work: { stage: 'decode', execution: { executorClass } },
    attemptIds: Array.from({ length: attempts }, (_, index) => `attempt_${index}`),
    ordersFolder: 'projects/project_1/orders/pf-1',
    image: 'worker:1',
    env: { PUSHFORWARD_STORE: 's3://bucket' },
    classes,
  });
}

describe('a Job', () => {
  it('has an index for each attempt, each with one try', () => {
    expect(made().spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 2,
      backoffLimitPerIndex: 0,
      podReplacementPolicy: 'Failed',
    });
    expect(made('gpu', 1).spec!.parallelism).toBe(1);
    expect(JSON.parse(made().metadata!.annotations!['pushforward/attempts']!)).toEqual([
      'attempt_0',
      'attempt_1',
      'attempt_2',
    ]);
  });

  it('runs what its class says, where it says', () => {
    const pod = made().spec!.template.spec!;
    expect(pod).toMatchObject({
      activeDeadlineSeconds: 5400,
      priorityClassName: 'batch',
      nodeSelector: { pool: 'gpu' },
      tolerations: [{ key: 'spot', operator: 'Exists' }],
      imagePullSecrets: [{ name: 'registry' }],
    });
    expect(pod.containers[0]).toMatchObject({
      image: 'worker:1',
      resources: { limits: { 'nvidia.com/gpu': '1' } },
      env: [
        { name: 'PUSHFORWARD_STORE', value: 's3://bucket' },
        { name: 'A', value: 'b' },
        { name: 'PUSHFORWARD_TASK', value: 'projects/project_1/orders/pf-1' },
      ],
      envFrom: [{ secretRef: { name: 'store' } }],
    });
    expect(made('plain').spec!.template.spec!.containers[0]!.image).toBe('other:1');
  });

  it('is suspended where a queue has to admit it, and only there', () => {
    expect(made().spec!.suspend).toBe(true);
    expect(made().metadata!.labels!['kueue.x-k8s.io/queue-name']).toBe('research');
    expect(made('plain').spec!.suspend).toBeUndefined();
  });

  it('is as restricted as can be, and has no token of the cluster', () => {
    const pod = made().spec!.template.spec!;
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(pod.containers[0]!.securityContext).toEqual({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });
});
