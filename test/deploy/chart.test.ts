/** What the chart makes of every scenario, read back as Kubernetes would. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { CHART, type KubernetesObject, lint, NAMESPACE, only, render, SCENARIOS } from '../support/deploy/chart.ts';
import { violations } from '../support/deploy/restricted.ts';
import { KUBERNETES, schemaLocation } from '../support/deploy/schemas.ts';
import { kubeconform, run } from '../support/deploy/tools.ts';
import { goMissing, sayIfGoMissing } from '../support/go.ts';
import { ROOT } from '../support/service-process.ts';
import { prometheusNames } from '../support/telemetry-schema.ts';

sayIfGoMissing('the tests of the Helm chart');

const SECRET = /password|secret|token|credential|access_key|database_url/i;

describe.skipIf(goMissing)('the chart', () => {
  const rendered: Record<string, { text: string; objects: KubernetesObject[] }> = {};
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-chart-'));
    for (const scenario of SCENARIOS) rendered[scenario] = await render(scenario);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has scenarios', () => {
    expect(SCENARIOS).toEqual(['embedded', 'external-everything', 'gateway-gpu', 'minimal', 'own-proxy']);
  });

  describe.each(SCENARIOS)('as %s', (scenario) => {
    const objects = () => rendered[scenario]!.objects;
    const deployment = () => only(objects(), 'Deployment');
    const pods = () =>
      objects().flatMap(({ kind, spec }) => (kind === 'Deployment' || kind === 'Job' ? [spec.template] : []));
    const settings = () => objects().find(({ kind, data }) => kind === 'ConfigMap' && data.HOST)!.data;
    const inCluster = () => settings().PUSHFORWARD_EXECUTOR === 'kubernetes';

    it('passes helm lint --strict', async () => {
      expect(await lint(scenario)).toContain('1 chart(s) linted, 0 chart(s) failed');
    });

    it('has no field that Kubernetes or a custom resource does not know', async () => {
      const kinds = objects().map(({ apiVersion, kind }) => `${apiVersion}/${kind}`);
      const location = await schemaLocation(kinds);
      const file = join(folder, `${scenario}.yaml`);
      await writeFile(file, rendered[scenario]!.text);
      const args = ['-strict', '-summary', '-output', 'json', '-kubernetes-version', KUBERNETES.slice(1)];
      const answer = await run(await kubeconform(), [...args, '-schema-location', location, file]);
      expect(JSON.parse(answer).summary).toEqual({ valid: kinds.length, invalid: 0, errors: 0, skipped: 0 });
    });

    it('gives every object a place of its own and the labels of the release', () => {
      const names = objects().map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      for (const { metadata, kind } of objects()) {
        if (metadata.name.endsWith('-more') || metadata.name.endsWith('-text')) continue;
        expect([kind, metadata.namespace]).toEqual([kind, expect.stringMatching(/^(team|distillation)$/)]);
        expect(metadata.labels).toMatchObject({
          'app.kubernetes.io/instance': 'release',
          'app.kubernetes.io/managed-by': 'Helm',
        });
      }
    });

    it('runs pods restricted, without a token unless they make Jobs, with limits of memory', () => {
      for (const { spec } of pods()) {
        expect(violations(spec)).toEqual([]);
        const makesJobs = inCluster() && spec.containers[0].name === 'service';
        expect(spec.automountServiceAccountToken).toBe(makesJobs);
        expect(spec.enableServiceLinks).toBe(false);
        const own = spec.containers.filter(({ name }: { name: string }) => name !== 'gateway');
        for (const { resources } of own) expect(resources.limits.memory).toMatch(/^\d+[MG]i$/);
      }
    });

    it('has secrets by reference alone', () => {
      expect(objects().filter(({ kind }) => kind === 'Secret')).toEqual([]);
      for (const { kind, data } of objects()) {
        if (kind === 'ConfigMap') expect(Object.keys(data).filter((key) => SECRET.test(key))).toEqual([]);
      }
      for (const { spec } of pods()) {
        for (const { name, value } of spec.containers.flatMap(({ env = [] }: { env: object[] }) => env)) {
          expect([name, value === undefined || !SECRET.test(name)]).toEqual([name, true]);
        }
      }
      for (const { name, value } of workerOf(objects())?.env ?? []) {
        expect([name, value === undefined || !SECRET.test(name)]).toEqual([name, true]);
      }
    });

    it('may make Jobs and see pods in the namespace of the workers, and nothing else', () => {
      const roles = objects().filter(({ kind }) => /Role/.test(kind));
      if (!inCluster()) return expect(roles).toEqual([]);
      expect(roles.map(({ kind }) => kind)).toEqual(['Role', 'RoleBinding']);
      const [role, binding] = roles as [KubernetesObject, KubernetesObject];
      expect(role.rules).toEqual([
        { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'list', 'watch', 'delete'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
        { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
      ]);
      for (const { metadata } of roles) expect(metadata.namespace).toBe(settings().PUSHFORWARD_KUBERNETES_NAMESPACE);
      expect(binding.roleRef).toMatchObject({ kind: 'Role', name: role.metadata.name });
      const account = deployment().spec.template.spec.serviceAccountName;
      expect(binding.subjects).toEqual([{ kind: 'ServiceAccount', name: account, namespace: NAMESPACE }]);
    });

    it('probes ports that are there, and asks no database whether the process lives', () => {
      const { containers } = deployment().spec.template.spec;
      const service = containers.find(({ name }: { name: string }) => name === 'service');
      expect(service.startupProbe.httpGet).toEqual({ path: '/readyz', port: 'cluster' });
      expect(service.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'cluster' });
      expect(service.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'cluster' });
      for (const { ports = [], livenessProbe, readinessProbe } of containers) {
        for (const probe of [livenessProbe, readinessProbe].filter(Boolean)) {
          expect(ports.map(({ name }: { name: string }) => name)).toContain(probe.httpGet.port);
        }
      }
      expect(service.ports).toEqual([{ name: 'cluster', containerPort: Number(settings().PUSHFORWARD_PROBE_PORT) }]);
    });

    it('selects the pods of the service, and not those of the migration or the workers', () => {
      const labels = deployment().spec.template.metadata.labels;
      const others = [
        ...objects().flatMap(({ kind, spec }) => (kind === 'Job' ? [spec.template.metadata.labels] : [])),
        { 'app.kubernetes.io/name': 'pushforward-worker', 'app.kubernetes.io/managed-by': 'pushforward' },
      ];
      const selectors = objects().flatMap(({ kind, metadata, spec }) => {
        if (metadata.name.endsWith('-workers')) return [];
        if (kind === 'Service') return [spec.selector];
        if (kind === 'NetworkPolicy') return [spec.podSelector.matchLabels];
        return ['Deployment', 'PodDisruptionBudget'].includes(kind) ? [spec.selector.matchLabels] : [];
      });
      const { topologySpreadConstraints = [] } = deployment().spec.template.spec;
      for (const { labelSelector } of topologySpreadConstraints) selectors.push(labelSelector.matchLabels);
      expect(selectors.length).toBeGreaterThanOrEqual(2);
      for (const selector of selectors) {
        expect(labels).toMatchObject(selector);
        for (const other of others) expect(other).not.toMatchObject(selector);
      }
    });

    it('leads to ports that are there', () => {
      const ports = deployment().spec.template.spec.containers.flatMap(
        ({ ports = [] }: { ports: { name: string }[] }) => ports.map(({ name }) => name),
      );
      const services = objects().filter(({ kind }) => kind === 'Service');
      for (const { spec } of services) for (const { targetPort } of spec.ports) expect(ports).toContain(targetPort);
      const named = (name: string) => services.find(({ metadata }) => metadata.name === name)!;
      for (const { kind, spec } of objects()) {
        if (kind === 'Ingress') {
          const { service } = spec.rules[0].http.paths[0].backend;
          expect(named(service.name).spec.ports[0].name).toBe(service.port.name);
        }
        if (kind === 'HTTPRoute') {
          const [backend] = spec.rules[0].backendRefs;
          expect(named(backend.name).spec.ports[0].port).toBe(backend.port);
        }
        if (kind === 'ServiceMonitor') {
          const scraped = services.filter(({ metadata }) => matches(metadata.labels, spec.selector.matchLabels));
          expect(scraped.map(({ spec }) => spec.ports[0].name)).toEqual([spec.endpoints[0].port]);
        }
        if (kind === 'HorizontalPodAutoscaler') {
          expect(spec.scaleTargetRef.name).toBe(deployment().metadata.name);
          expect(deployment().spec).not.toHaveProperty('replicas');
        }
      }
    });

    it('refuses a database that the job before it did not migrate', () => {
      const jobs = objects().filter(({ kind }) => kind === 'Job');
      expect(settings().PUSHFORWARD_MIGRATE).toBe(jobs.length === 1 ? 'off' : 'auto');
      expect(jobs).toHaveLength(['embedded', 'own-proxy'].includes(scenario) ? 0 : 1);
      for (const { metadata, spec } of jobs) {
        expect(metadata.annotations!['helm.sh/hook']).toBe('pre-install,pre-upgrade');
        const [container] = spec.template.spec.containers;
        expect(container).toMatchObject({ args: ['migrate'], image: serviceOf(deployment()).image });
        expect(container.env[0]).toEqual(
          serviceOf(deployment()).env.find(({ name }: { name: string }) => name === 'DATABASE_URL'),
        );
        // Nothing of the release is there yet.
        expect(spec.template.spec).not.toHaveProperty('serviceAccountName');
        expect(container).not.toHaveProperty('envFrom');
      }
    });

    it('gives settings that the service takes, to the last one', async () => {
      const env = {
        ...settings(),
        DATABASE_URL: 'postgres://u:p@postgres/db',
        PUSHFORWARD_SIGNING_SECRET: 'x'.repeat(32),
      };
      const config = readConfig(env);
      expect(config).toMatchObject({
        host: '127.0.0.1',
        port: 4000,
        probePort: 9090,
        stateDir: '/var/lib/pushforward',
      });
      const writable = serviceOf(deployment()).volumeMounts.filter((mount: { readOnly?: boolean }) => !mount.readOnly);
      expect(writable.map(({ mountPath }: { mountPath: string }) => mountPath)).toEqual([config.stateDir, '/tmp']);
      const reader = await readFile(join(ROOT, 'src/config.ts'), 'utf8');
      const names = Object.keys(settings()).filter((name) => name !== 'AWS_REGION');
      for (const name of names) expect(reader).toContain(`'${name}'`);
    });

    it('keeps what may not be lost on a volume that one pod holds', () => {
      const claims = objects().filter(({ kind }) => kind === 'PersistentVolumeClaim');
      const { volumes } = deployment().spec.template.spec;
      const state = volumes.find(({ name }: { name: string }) => name === 'state');
      if (scenario !== 'embedded') {
        expect([claims, deployment().spec.strategy.type]).toEqual([[], 'RollingUpdate']);
        return expect(state).toHaveProperty('emptyDir');
      }
      expect(state.persistentVolumeClaim.claimName).toBe(claims[0]!.metadata.name);
      expect(claims[0]!.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
      expect(deployment().spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    });
  });

  it('hands executor classes to the service and the keys of the store to the workers', () => {
    const { objects } = rendered['gateway-gpu']!;
    const classes = classesOf(objects)!;
    expect(classes).toMatchObject({ default: 'cpu', stages: { decode: 'gpu', evaluate: 'gpu-spot' }, slots: 2000 });
    expect(Object.keys(classes.classes)).toEqual(['cpu', 'gpu', 'gpu-spot']);
    expect(classes.classes.gpu).toMatchObject({ priceUsdPerHour: 2.5, queue: 'gpus', deadlineMinutes: 120 });
    expect(classes.classes.gpu.resources.limits).toEqual({ 'nvidia.com/gpu': 1, memory: '32Gi' });
    const keys = (name: string) => ({ valueFrom: { secretKeyRef: { name: 'pushforward-store', key: name } } });
    expect(classes.worker.env.slice(0, 2)).toEqual([
      { name: 'AWS_ACCESS_KEY_ID', ...keys('AWS_ACCESS_KEY_ID') },
      { name: 'AWS_SECRET_ACCESS_KEY', ...keys('AWS_SECRET_ACCESS_KEY') },
    ]);
    const service = serviceOf(only(objects, 'Deployment'));
    const path = objects.find(({ data }) => data?.HOST)!.data.PUSHFORWARD_EXECUTOR_CLASSES;
    const mount = service.volumeMounts.find(({ name }: { name: string }) => name === 'executor-classes');
    expect(path).toBe(`${mount.mountPath}/executor-classes.yaml`);
  });

  it('lets workers reach the service, and nobody reach workers', () => {
    const { objects } = rendered['gateway-gpu']!;
    const [own, workers] = objects.filter(({ kind }) => kind === 'NetworkPolicy') as [
      KubernetesObject,
      KubernetesObject,
    ];
    const from = own.spec.ingress.find(({ ports }: { ports: { port: string }[] }) => ports[0]!.port === 'cluster').from;
    expect(from.at(-1).podSelector.matchLabels).toEqual(workers.spec.podSelector.matchLabels);
    expect(workers.metadata.namespace).toBe('distillation');
    expect([workers.spec.policyTypes, workers.spec.ingress]).toEqual([['Ingress'], undefined]);
    const url = new URL(objects.find(({ data }) => data?.HOST)!.data.PUSHFORWARD_CALLBACK_URL);
    const [name, namespace] = url.hostname.split('.');
    const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name)!;
    expect([service.metadata.namespace, service.spec.ports[0].port]).toEqual([namespace, Number(url.port)]);
  });

  it('restarts pods when their settings change', async () => {
    const checksum = async (overrides: Record<string, unknown>) =>
      only((await render('minimal', overrides)).objects, 'Deployment').spec.template.metadata.annotations[
        'checksum/settings'
      ];
    expect(await checksum({ settings: { logLevel: 'debug' } })).not.toBe(await checksum({}));
  });

  it('has alerts over metrics that the service has', () => {
    const rules = only(rendered['external-everything']!.objects, 'PrometheusRule').spec.groups[0].rules;
    const known = prometheusNames();
    expect(rules).toHaveLength(13);
    for (const { expr } of rules) {
      const used = metricsOf(expr);
      expect(used.length).toBeGreaterThan(0);
      for (const name of used) expect([...known, 'up']).toContain(name);
    }
    expect(() => metricsOf('sum(up{)')).toThrow('expected PromQL');
  });

  it('ships the dashboards of deploy/grafana, by the label that the sidecar of Grafana looks for', async () => {
    const { metadata, data } = rendered['external-everything']!.objects.find(({ metadata: { name } }) =>
      name.endsWith('-dashboards'),
    )!;
    expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(metadata.annotations).toEqual({ grafana_folder: 'Pushforward' });
    expect(Object.keys(data)).toEqual(['runs.json', 'service.json']);
    for (const [name, text] of Object.entries(data)) {
      const original = await readFile(join(ROOT, 'deploy/grafana', name), 'utf8');
      expect([name, JSON.parse(text as string)]).toEqual([name, JSON.parse(original)]);
      expect([name, await readFile(join(CHART, 'dashboards', name), 'utf8')]).toEqual([name, original]);
    }
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'minimal',
      { database: { existingSecret: { name: '' } } },
      /expected database\.existingSecret\.name or persistence\.enabled/,
    ],
    ['minimal', { store: { uri: '' } }, /expected store\.uri or persistence\.enabled/],
    ['minimal', { replicas: 2 }, /signing\.existingSecret\.name for more than one replica/],
    ['embedded', { replicas: 2 }, /for more than one replica, got one of them empty/],
    ['gateway-gpu', { executor: { kind: 'local' } }, /expected executor\.kind=kubernetes for more than one replica/],
    [
      'external-everything',
      { executor: { kind: 'local' } },
      /expected executor\.kind=kubernetes for more than one replica/,
    ],
    ['gateway-gpu', { persistence: { enabled: true } }, /persistence\.enabled=false for more than one replica/],
    ['minimal', { executor: { kind: 'kubernetes' } }, /signing\.existingSecret\.name for executor\.kind=kubernetes/],
    [
      'gateway-gpu',
      { executor: { kubernetes: { stages: { decode: 'tpu' } } } },
      /\(cpu, gpu, gpu-spot\) for decode, got tpu/,
    ],
    ['minimal', { authProxy: { enabled: true } }, /issuerUrl, emailDomains and existingSecret\.name of authProxy/],
    [
      'gateway-gpu',
      { service: { targetPort: 'other' } },
      /one of authProxy\.enabled and service\.targetPort, got both/,
    ],
    ['minimal', { ingress: { enabled: true, hosts: ['a.example.org'] } }, /the service asks nobody who they are/],
    ['own-proxy', { ingress: { enabled: true } }, /expected ingress\.hosts, got none/],
    ['own-proxy', { httpRoute: { enabled: true } }, /expected httpRoute\.parentRefs/],
    ['minimal', { preStopSleepSeconds: 60 }, /no time would be left/],
    ['minimal', { replica: 2 }, /additional properties 'replica' not allowed/],
    ['minimal', { settings: { logLevel: 'loud' } }, /\/settings\/logLevel/],
    ['minimal', { image: { digest: 'sha256:short' } }, /\/image\/digest/],
    [
      'gateway-gpu',
      { executor: { kubernetes: { classes: { gpu: { gpus: 1 } } } } },
      /additional properties 'gpus' not allowed/,
    ],
    [
      'gateway-gpu',
      { executor: { kubernetes: { classes: { new: { parallelism: 1 } } } } },
      /missing property 'priceUsdPerHour'/,
    ],
  ])('refuses %s with %j', async (scenario, overrides, message) => {
    await expect(render(scenario, overrides)).rejects.toThrow(message);
  });

  it('is checked by schemas that find what is wrong', async () => {
    const { text, objects } = rendered['minimal']!;
    const location = await schemaLocation(objects.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`));
    const check = async (broken: string) => {
      const file = join(folder, 'broken.yaml');
      await writeFile(file, broken);
      return run(await kubeconform(), ['-strict', '-schema-location', location, file]);
    };
    await check(text);
    await expect(check(text.replace('readOnlyRootFilesystem:', 'readOnlyRootFileSystem:'))).rejects.toThrow(
      /readOnlyRootFileSystem/,
    );
    await expect(check(text.replace(/replicas: 1/, 'replicas: one'))).rejects.toThrow(/got string/);
  });

  it('has the version of the project, and is told where to read on', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const chart = parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, string>;
    expect([chart['version'], chart['appVersion']]).toEqual([version, version]);
    expect(await readdir(join(CHART, 'templates'))).toContain('NOTES.txt');
  });
});

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const serviceOf = (deployment: KubernetesObject): any =>
  deployment.spec.template.spec.containers.find(({ name }: { name: string }) => name === 'service');

function classesOf(objects: readonly KubernetesObject[]) {
  const found = objects.find(({ data }) => data?.['executor-classes.yaml']);
  return found && parse(found.data['executor-classes.yaml']);
}

const workerOf = (objects: readonly KubernetesObject[]): { env: { name: string; value?: string }[] } | undefined =>
  classesOf(objects)?.worker;

const matches = (labels: Record<string, string> = {}, selector: Record<string, string>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

/** @throws where it does not parse */
function metricsOf(expression: string): string[] {
  const names: string[] = [];
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`expected PromQL, got ${expression}`);
      if (node.name === 'Identifier' && node.matchContext(['VectorSelector']))
        names.push(expression.slice(node.from, node.to));
    },
  });
  return names;
}
