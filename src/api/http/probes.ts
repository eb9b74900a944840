import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import express, { Router } from 'express';
import { fromErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { type Health } from '../../control/control.ts';
import { errorHandler } from './error-handler.ts';
import { listen } from './listen.ts';
import { type ProgressReports, progressRoutes } from './progress.ts';

export interface ProbeOptions {
  /** @throws NOT_READY while the service starts or stops */
  health: () => Promise<Health>;
  /** The body of /metrics in the Prometheus text format. */
  metricsText: () => string | Promise<string>;
}

/** /healthz: the process is up. /readyz: it can do its work, else 503 with the reason. /metrics: for Prometheus. */
export function probeRoutes({ health, metricsText }: ProbeOptions): Router {
  const routes = Router();
  routes.get('/healthz', (_request, response) => void response.type('text').send('ok\n'));
  routes.get('/readyz', async (_request, response) => {
    const { database, store } = await health();
    const failure = database ?? store;
    if (failure) throw fromErrorRecord(failure);
    response.type('text').send('ready\n');
  });
  routes.get('/metrics', async (_request, response) => {
    response.type('text/plain; version=0.0.4; charset=utf-8').send(await metricsText());
  });
  return routes;
}

export interface Probes {
  port: number;
  close(): Promise<void>;
}

/**
 * The same on every address of the machine, for the kubelet, Prometheus and pods that carry out tasks, which reach no loopback
 * address. It tells nothing of what is in the database but counts and the W2 of datasets by name, and takes nothing but the progress of attempts, by their tokens.
 * @param options.port 0: any free one
 */
export async function startProbes(
  options: ProbeOptions & { progress: () => ProgressReports | null; port: number; log: Log },
): Promise<Probes> {
  const app = express();
  app.disable('x-powered-by');
  app.use(probeRoutes(options));
  app.use(progressRoutes(options.progress));
  app.use((request, response) => {
    const message = `expected /healthz, /readyz or /metrics, got ${request.path}: the API listens elsewhere`;
    response.status(404).json({ code: 'NOT_FOUND', message });
  });
  app.use(errorHandler(options.log));
  const server = createServer(app);
  await listen(server, null, options.port);
  server.on('error', (error) => options.log.warn('a connection could not be taken', { error: error.message }));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
