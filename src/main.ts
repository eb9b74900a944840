#!/usr/bin/env node
/** The first root: parses the command line and hands the commands what they need. */
import { fileURLToPath } from 'node:url';
import { armCrashPoints } from './base/crash-points.ts';
import { PushforwardError, toErrorRecord } from './base/errors.ts';
import { createProgram } from './cli/program.ts';
import { readConfig } from './config.ts';

const interrupt = new AbortController();
let interrupts = 0;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    interrupt.abort();
    // A second interrupt leaves at once; what was acknowledged is in the database.
    if (++interrupts > 1) process.exit(130);
  });
}

let debug = false;
try {
  requireNode(24);
  const config = readConfig();
  armCrashPoints(config.crashPointsDir);
  debug = config.logLevel === 'debug';
  const program = createProgram({
    version: config.version,
    priorsDir: fileURLToPath(new URL('../priors', import.meta.url)),
    interrupt: interrupt.signal,
    // The service and its libraries are loaded by the commands that need them.
    async serve(options) {
      const { serve } = await import('./service.ts');
      await serve({ ...config, ...options }, interrupt.signal);
    },
    async migrate() {
      const { migrateDatabase } = await import('./service.ts');
      return migrateDatabase(config);
    },
    async withService(work) {
      const { withService } = await import('./service.ts');
      await withService(config, work);
    },
    async validatePrior(directory) {
      const { describeValidPrior } = await import('./service.ts');
      return describeValidPrior(directory);
    },
  });
  await program.parseAsync();
} catch (error) {
  const { code, message, details } = toErrorRecord(error);
  console.error(`\npushforward: ${message}`);
  const lines = details?.['lastLogLines'];
  if (Array.isArray(lines) && lines.length > 0) console.error(lines.map((line) => `  ${String(line)}`).join('\n'));
  if (debug) console.error(error);
  process.exitCode = code === 'CANCELLED' ? 130 : 1;
}

/** An older one would fail in the middle of a run. */
function requireNode(major: number): void {
  if (Number(process.versions.node.split('.')[0]) >= major) return;
  throw new PushforwardError(
    'NOT_READY',
    `expected Node ${major} or newer, got ${process.version}: start it with \`npx pushforward\` or npm, which use the Node that the project brings`,
  );
}
