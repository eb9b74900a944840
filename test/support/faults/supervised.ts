import { type ServiceProcess, startServiceProcess } from '../service-process.ts';
import { until } from '../until.ts';

/** A service that is started again whenever it ends, as systemd, compose or a cluster would. */
export interface Supervised {
  /** The one that is up; waits for it. */
  service(): Promise<ServiceProcess>;
  /** How often it ended without being asked to. */
  deaths(): number;
  /** What all of its processes wrote. */
  output(): string;
  /** Ends it. @returns its exit code */
  stop(): Promise<number | null>;
}

/** Starts that may fail in a row, about a second each. */
const MOST_FAILURES = 60;

export function supervise(stateDir: string, env: Record<string, string>): Supervised {
  let up: ServiceProcess | null = null;
  let stopping = false;
  let deaths = 0;
  let written = '';
  let failure: unknown = null;

  async function keepUp(): Promise<number | null> {
    for (let failures = 0; ;) {
      try {
        up = await startServiceProcess(stateDir, env);
        failures = 0;
      } catch (error) {
        written += String(error);
        deaths++;
        if (stopping || ++failures > MOST_FAILURES) throw error;
        await new Promise((wake) => setTimeout(wake, 200));
        continue;
      }
      if (stopping) void up.end();
      const code = await up.gone;
      written += up.output();
      up = null;
      if (stopping) return code;
      deaths++;
    }
  }
  const done = keepUp().catch((error: unknown) => {
    failure = error;
    return null;
  });

  return {
    service: () =>
      until(
        () => {
          if (failure !== null) throw new Error('expected the service to come up again', { cause: failure });
          return up;
        },
        'the service to be up',
        90_000,
      ),
    deaths: () => deaths,
    output: () => written + (up?.output() ?? ''),
    async stop() {
      stopping = true;
      up?.end().catch(() => {});
      return done;
    },
  };
}
