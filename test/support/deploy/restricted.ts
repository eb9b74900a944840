/** What the pod security standard `restricted` asks of a pod, as its admission checks it; and a root file system that is read-only. */

interface Container {
  name: string;
  ports?: { hostPort?: number }[];
  securityContext?: {
    privileged?: boolean;
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    runAsNonRoot?: boolean;
    runAsUser?: number;
    capabilities?: { drop?: string[]; add?: string[] };
    seccompProfile?: { type: string };
  };
}

interface PodSpec {
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  containers: Container[];
  initContainers?: Container[];
  volumes?: Record<string, unknown>[];
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
}

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** @returns what breaks the standard, a line each */
export function violations(pod: PodSpec): string[] {
  const found: string[] = [];
  const ask = (holds: boolean | undefined, what: string) => void (holds || found.push(what));
  ask(!pod.hostNetwork && !pod.hostPID && !pod.hostIPC, 'pod: a namespace of the host');
  for (const { name, ...source } of pod.volumes ?? []) {
    ask(
      Object.keys(source).every((kind) => VOLUMES.includes(kind)),
      `volume ${String(name)}: ${Object.keys(source).join()}`,
    );
  }
  for (const { name, ports = [], securityContext: own = {} } of [...(pod.initContainers ?? []), ...pod.containers]) {
    const of = { ...pod.securityContext, ...own };
    ask(of.runAsNonRoot === true, `${name}: runAsNonRoot`);
    ask(of.runAsUser !== 0, `${name}: runs as root`);
    ask(['RuntimeDefault', 'Localhost'].includes(of.seccompProfile?.type ?? ''), `${name}: seccompProfile`);
    ask(own.allowPrivilegeEscalation === false, `${name}: allowPrivilegeEscalation`);
    ask(!own.privileged, `${name}: privileged`);
    ask(own.capabilities?.drop?.includes('ALL'), `${name}: drops not all capabilities`);
    ask(
      (own.capabilities?.add ?? []).every((added) => added === 'NET_BIND_SERVICE'),
      `${name}: adds capabilities`,
    );
    ask(
      ports.every(({ hostPort }) => !hostPort),
      `${name}: port of the host`,
    );
    ask(own.readOnlyRootFilesystem === true, `${name}: readOnlyRootFilesystem`);
  }
  return found;
}
