import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { type GraphQLSchema } from 'graphql';
import { type ErrorCode, PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { type Control } from '../../control/control.ts';
import { buildApiSchema } from '../schema.ts';
import { explorer } from './explorer.ts';
import { createGraphqlHandler } from './graphql.ts';
import { guard, requireLoopbackHost } from './guard.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { type ObjectAccess, receiveParts, serveObjects } from './objects.ts';
import { type ProgressReports, receiveProgress } from './progress.ts';
import { traced } from './tracing.ts';
import { attachWebSockets } from './websocket.ts';

export interface ApiOptions {
  /** A loopback address; any other is refused as long as there is no identity provider. */
  host: string;
  /** 0: any free port. */
  port: number;
  control: Control;
  log: Log;
  /** The body of /metrics in the Prometheus text format. */
  metricsText: () => string | Promise<string>;
  /** Serves the signed URLs of the directory store. */
  objects: ObjectAccess;
  /** Absent where workers tell the service otherwise. */
  progress?: ProgressReports | undefined;
  /** Default: `buildApiSchema()`. */
  schema?: GraphQLSchema;
}

export interface Api {
  /** `http://127.0.0.1:4000`, without a slash at the end. */
  url: string;
  /** Takes no more requests, lets those under way finish, completes subscriptions. */
  close(): Promise<void>;
}

const GRAPHQL = '/graphql';

/** Serves /graphql (HTTP and WebSocket), /graphiql, /objects, /healthz, /readyz and /metrics. */
export async function startApi(options: ApiOptions): Promise<Api> {
  requireLoopbackHost(options.host);
  const { control, log } = options;
  const schema = options.schema ?? buildApiSchema();
  const app = express();
  const server = createServer(app);
  const graphql = await createGraphqlHandler({ schema, control, log, server });

  app.disable('x-powered-by');
  // Before the guard, which is for callers without a token: pods know the service by another name.
  if (options.progress) {
    app.post('/attempts/:id/progress', express.json({ limit: '1kb' }), receiveProgress(options.progress));
  }
  app.use(guard);
  app.get('/healthz', (_request, response) => void response.type('text').send('ok\n'));
  app.get('/readyz', async (_request, response) => {
    await control.ready();
    response.type('text').send('ready\n');
  });
  app.get('/metrics', async (_request, response) => {
    response.type('text/plain; version=0.0.4; charset=utf-8').send(await options.metricsText());
  });
  app.use(explorer(GRAPHQL));
  app.get(GRAPHQL, (request, response, next) => {
    // A person who opens the address; programs that GET ask for JSON.
    if (request.accepts(['json', 'html']) === 'html') return response.redirect(303, '/graphiql');
    next();
  });
  app.use(GRAPHQL, traced, express.json({ limit: MAX_BODY_BYTES }), withBody, graphql.handler);
  app.get('/objects/*key', serveObjects(options.objects));
  app.put('/objects/*key', receiveParts(options.objects));
  app.get('/favicon.ico', (_request, response) => void response.status(204).end());
  app.get('/', (_request, response) => response.redirect(303, '/graphiql'));
  app.use((request, response) => {
    response.status(404).json({
      code: 'NOT_FOUND',
      message: `expected /graphql, /graphiql, /objects, /healthz, /readyz or /metrics, got ${request.path}`,
    });
  });
  app.use(errorHandler(log));

  const sockets = attachWebSockets({ schema, control, log, server, path: GRAPHQL });
  await listen(server, options.host, options.port);
  // A connection that could not be taken (no file descriptors left, for example) concerns nobody else.
  server.on('error', (error) => log.warn('a connection could not be taken', { error: error.message }));
  const { port } = server.address() as AddressInfo;
  const name = options.host.includes(':') ? `[${options.host.replace(/^\[|\]$/g, '')}]` : options.host;
  return {
    url: `http://${name}:${port}`,
    async close() {
      await sockets.close();
      await graphql.stop();
    },
  };
}

/** Express 5 leaves the body undefined where there is none; Apollo wants it set. */
const withBody: express.RequestHandler = (request, _response, next) => {
  request.body ??= {};
  next();
};

const STATUS: Partial<Record<ErrorCode, number>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  DATABASE_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  CLUSTER_UNAVAILABLE: 503,
};

function errorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const fromClient = clientStatus(error);
    if (response.headersSent) return next(error);
    if (fromClient) {
      response
        .status(fromClient)
        .json({ errors: [{ message: (error as Error).message, extensions: { code: 'BAD_REQUEST' } }] });
      return;
    }
    const record = toErrorRecord(error);
    const status = STATUS[record.code] ?? 500;
    if (status >= 500)
      log.error('request failed', { path: request.path, error: error instanceof Error ? error.stack : error });
    const message =
      error instanceof PushforwardError ? record.message : 'something went wrong that was not foreseen: see the log';
    response.status(status).json({ code: record.code, message });
  };
}

/** The status of errors that the body parser made: too large, not JSON. */
function clientStatus(error: unknown): number | null {
  const status = (error as { status?: unknown }).status;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : null;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EADDRINUSE' ? 'another process has it: stop that one or set PORT' : 'set HOST and PORT';
      reject(
        new PushforwardError(
          'INVALID_INPUT',
          `expected to listen on ${host} port ${port}, got ${error.message}: ${remedy}`,
          {},
          { cause: error },
        ),
      );
    });
    server.listen(port, host.replace(/^\[|\]$/g, ''), resolve);
  });
}
