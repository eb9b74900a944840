export { readExecutorClasses } from './classes.ts';
export { openCluster } from './cluster.ts';
export { createKubernetesExecutor, type KubernetesExecutor, type ProgressReport } from './executor.ts';
export { instanceSelector } from './names.ts';
