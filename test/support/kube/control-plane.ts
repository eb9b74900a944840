import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  RbacAuthorizationV1Api,
  type V1PolicyRule,
} from '@kubernetes/client-node';
import { freePort } from '../free-port.ts';
import { until } from '../until.ts';
import { type Binaries } from './binaries.ts';

/** What the role in the Helm chart gives the service. */
export const SERVICE_RULES: V1PolicyRule[] = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
];

/** A real etcd, API server and controller manager on loopback addresses. */
export interface ControlPlane {
  readonly server: string;
  /** May do everything. */
  readonly admin: KubeConfig;
  /** The API server's own certificate and key: for others that have to speak TLS. */
  certificate(): Promise<{ cert: string; key: string }>;
  /** A namespace that enforces restricted pods, and a kubeconfig of an account that has `SERVICE_RULES` there. */
  namespace(name: string): Promise<{ name: string; kubeconfig: string }>;
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  stop(): Promise<void>;
}

const CONTROLLERS = [
  'job-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'namespace-controller',
  'ttl-after-finished-controller',
  // Ends pods that were deleted before they had a node; it looks every 20 s.
  'pod-garbage-collector-controller',
];

export async function startControlPlane(binaries: Binaries): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-kube-'));
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const server = `https://127.0.0.1:${port}`;
  const certificates = join(folder, 'certificates');
  await mkdir(certificates);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(join(folder, 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(folder, 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(
    join(folder, 'tokens.csv'),
    'admin-token,admin,admin,"system:masters"\nservice-token,service,service\n',
  );
  await writeFile(join(folder, 'admin.kubeconfig'), kubeconfigOf(server, 'admin-token'));

  const etcd = run(binaries.etcd, [
    ...['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', `http://127.0.0.1:${etcdPort}`],
    ...['--advertise-client-urls', `http://127.0.0.1:${etcdPort}`],
    ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-cluster', `default=http://127.0.0.1:${peerPort}`],
  ]);
  const startServer = () =>
    run(binaries['kube-apiserver'], [
      ...['--etcd-servers', `http://127.0.0.1:${etcdPort}`],
      ...['--bind-address', '127.0.0.1', '--secure-port', String(port), '--cert-dir', certificates],
      ...['--endpoint-reconciler-type', 'none', '--service-cluster-ip-range', '10.0.0.0/24'],
      ...['--service-account-issuer', 'https://kubernetes.default.svc'],
      ...['--service-account-key-file', join(folder, 'accounts.pub')],
      ...['--service-account-signing-key-file', join(folder, 'accounts.key')],
      ...['--authorization-mode', 'RBAC', '--token-auth-file', join(folder, 'tokens.csv')],
    ]);
  let apiServer = startServer();
  const admin = new KubeConfig();
  admin.loadFromString(kubeconfigOf(server, 'admin-token'));
  const authorization = admin.makeApiClient(AuthorizationV1Api);
  const core = admin.makeApiClient(CoreV1Api);
  const rbac = admin.makeApiClient(RbacAuthorizationV1Api);
  const answers = () =>
    until(
      async () => {
        if (apiServer.ended()) throw new Error(`the API server ended:\n${apiServer.output()}`);
        const review = { spec: { resourceAttributes: { verb: 'create', resource: 'pods', namespace: 'default' } } };
        const answer = await authorization.createSelfSubjectAccessReview({ body: review }).catch(() => null);
        return answer?.status?.allowed && (await core.readNamespace({ name: 'default' }).catch(() => null));
      },
      'the API server to answer',
      120_000,
    );
  await answers();
  const controllers = run(binaries['kube-controller-manager'], [
    ...['--kubeconfig', join(folder, 'admin.kubeconfig'), '--leader-elect=false', '--secure-port', '0'],
    ...['--controllers', CONTROLLERS.join(',')],
    ...['--service-account-private-key-file', join(folder, 'accounts.key')],
  ]);

  return {
    server,
    admin,
    async certificate() {
      const read = (name: string) => readFile(join(certificates, name), 'utf8');
      return { cert: await read('apiserver.crt'), key: await read('apiserver.key') };
    },
    async namespace(name) {
      const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      await core.createNamespace({ body: { metadata: { name, labels } } });
      const metadata = { name: 'service' };
      await rbac.createNamespacedRole({ namespace: name, body: { metadata, rules: SERVICE_RULES } });
      await rbac.createNamespacedRoleBinding({
        namespace: name,
        body: {
          metadata,
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'service' },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'service' }],
        },
      });
      // Pods are refused until the account that they run as is there.
      await until(
        () => core.readNamespacedServiceAccount({ namespace: name, name: 'default' }).catch(() => null),
        `the account of namespace ${name}: ${controllers.output()}`,
        60_000,
      );
      const kubeconfig = join(folder, `${name}.kubeconfig`);
      await writeFile(kubeconfig, kubeconfigOf(server, 'service-token'));
      return { name, kubeconfig };
    },
    stopApiServer: () => apiServer.end('SIGKILL'),
    async startApiServer() {
      apiServer = startServer();
      await answers();
    },
    async stop() {
      await controllers.end('SIGKILL');
      await apiServer.end('SIGKILL');
      await etcd.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server's certificate is its own, made at its start, and this machine speaks to nobody else. */
function kubeconfigOf(server: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}

function run(path: string, args: string[]) {
  const child: ChildProcess = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-20_000)));
  }
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return {
    output: () => output,
    ended,
    async end(signal: NodeJS.Signals) {
      if (!ended()) child.kill(signal);
      await gone;
    },
  };
}
