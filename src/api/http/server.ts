import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import express from 'express';
import { type GraphQLSchema } from 'graphql';
import { type Log } from '../../base/log.ts';
import { type Control } from '../../control/control.ts';
import { buildApiSchema } from '../schema.ts';
import { errorHandler } from './error-handler.ts';
import { createEventStreams } from './event-stream.ts';
import { eventRoutes } from './events.ts';
import { explorer } from './explorer.ts';
import { createGraphqlHandler } from './graphql.ts';
import { guard, requireLoopbackHost } from './guard.ts';
import { lineageRoutes } from './lineage.ts';
import { listen } from './listen.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { type ObjectAccess, receiveParts, serveObjects } from './objects.ts';
import { probeRoutes } from './probes.ts';
import { traced } from './tracing.ts';
import { attachWebSockets } from './websocket.ts';

export interface ApiOptions {
  /** A loopback address; any other is refused as long as there is no identity provider. */
  host: string;
  /** 0: any free port. */
  port: number;
  /** Origin under which a proxy that authenticates hands requests on, see `refusal`. Default: none. */
  publicUrl?: string | null;
  control: Control;
  log: Log;
  /** The body of /metrics in the Prometheus text format. */
  metricsText: () => string | Promise<string>;
  /** Serves the signed URLs of the directory store. */
  objects: ObjectAccess;
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
const STREAM = `${GRAPHQL}/stream`;

/**
 * Serves /graphql (HTTP and WebSocket), /graphql/stream (server-sent events), /graphiql, /api/v1/lineage, /api/v1/events, /objects, /healthz,
 * /readyz and /metrics.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  requireLoopbackHost(options.host);
  const { control, log, publicUrl = null } = options;
  const schema = options.schema ?? buildApiSchema();
  const app = express();
  const server = createServer(app);
  const graphql = await createGraphqlHandler({ schema, control, log, server });

  const streams = createEventStreams({ schema, control, log });

  app.disable('x-powered-by');
  // Before the guard, which is for callers without a token: pods know the service by another name.
  app.use(guard(publicUrl));
  app.use(probeRoutes({ health: () => control.health(), metricsText: options.metricsText }));
  app.use(explorer(GRAPHQL));
  app.get(GRAPHQL, (request, response, next) => {
    // A person who opens the address; programs that GET ask for JSON.
    if (request.accepts(['json', 'html']) === 'html') return response.redirect(303, '/graphiql');
    next();
  });
  const streamed = [traced, express.json({ limit: MAX_BODY_BYTES }), streams.handler];
  app
    .route(STREAM)
    .get(streamed)
    .post(streamed)
    .all((_request, response) => void response.status(405).set('allow', 'GET, POST').end());
  app.use(GRAPHQL, traced, express.json({ limit: MAX_BODY_BYTES }), withBody, graphql.handler);
  app.use(lineageRoutes(control));
  app.use(eventRoutes(control));
  app.get('/objects/*key', serveObjects(options.objects));
  app.put('/objects/*key', receiveParts(options.objects));
  app.get('/favicon.ico', (_request, response) => void response.status(204).end());
  app.get('/', (_request, response) => response.redirect(303, '/graphiql'));
  app.use((request, response) => {
    response.status(404).json({
      code: 'NOT_FOUND',
      message: `expected /graphql, /graphiql, /api/v1/lineage, /api/v1/events, /objects, /healthz, /readyz or /metrics, got ${request.path}`,
    });
  });
  app.use(errorHandler(log));

  const sockets = attachWebSockets({ schema, control, log, server, path: GRAPHQL, publicUrl });
  await listen(server, options.host, options.port);
  // A connection that could not be taken (no file descriptors left, for example) concerns nobody else.
  server.on('error', (error) => log.warn('a connection could not be taken', { error: error.message }));
  const { port } = server.address() as AddressInfo;
  const name = options.host.includes(':') ? `[${options.host.replace(/^\[|\]$/g, '')}]` : options.host;
  return {
    url: `http://${name}:${port}`,
    async close() {
      await sockets.close();
      streams.close();
      await graphql.stop();
    },
  };
}

/** Express 5 leaves the body undefined where there is none; Apollo wants it set. */
const withBody: express.RequestHandler = (request, response, next) => {
  if (Array.isArray(request.body)) {
    const message = `expected one operation, got a batch of ${request.body.length}: send them one by one`;
    response.status(400).json({ errors: [{ message, extensions: { code: 'LIMIT_EXCEEDED' } }] });
    return;
  }
  request.body ??= {};
  next();
};
