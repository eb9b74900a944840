/** A service that starts a worker on the order it is given, says its process id and then waits to be killed. */
import { createLocalExecutor } from '../../src/adapters/processes/local-executor.ts';
import { silentLog } from '../../src/base/log.ts';
import { orderOf, taskOf } from './tasks.ts';

const executor = createLocalExecutor({
  slots: 1,
  priceUsdPerHour: 0,
  workerPath: process.argv[2]!,
  execArgv: process.execArgv,
  env: process.env,
  log: silentLog,
  goneElsewhereAfterMs: 0,
});
let said = false;
const handle = await executor.start(orderOf(taskOf({ stage: 'encode', options: { do: process.argv[3]! } })), {
  progress() {
    if (!said) process.stdout.write(`${JSON.stringify(handle.reference)}\n`);
    said = true;
  },
  waiting() {},
});
