export { readExecutorClasses } from './classes.ts';
export { openCluster } from './cluster.ts';
export { createKubernetesExecutor } from './executor.ts';
export { instanceSelector } from './names.ts';
