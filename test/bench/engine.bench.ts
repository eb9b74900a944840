import { type Bench } from './bench.ts';
import { launchCases } from './engine/launches.ts';
import { overheadCases } from './engine/overhead.ts';
import { recoveryCases } from './engine/recovery.ts';
import { taskCases } from './engine/tasks.ts';

export const bench: Bench = {
  about: 'runs: what orchestration adds, recovery after a restart, launches of one key, control-plane time per task',
  async *cases(wanted) {
    for (const cases of [launchCases, taskCases, recoveryCases, overheadCases]) yield* cases(wanted);
  },
};
