import { type IncomingMessage, type Server } from 'node:http';
import { type Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError, parse, specifiedRules, validate } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { createContext, format, type GraphqlOptions } from './graphql.ts';
import { refusal } from './guard.ts';
import { depthLimit, MAX_MESSAGE_BYTES, MAX_TOKENS } from './limits.ts';

const MAX_SUBSCRIPTIONS_PER_SOCKET = 100;

/** Subscriptions (and queries) over the graphql-transport-ws protocol, at the same path as HTTP. */
export function attachWebSockets(
  options: GraphqlOptions & { server: Server; path: string; publicUrl: string | null },
): {
  close(): Promise<void>;
} {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // The server lets go of a socket that it hands over here: one that breaks would otherwise end the process.
    socket.on('error', () => socket.destroy());
    if (refusal(request, options.publicUrl) !== null) return refuse(socket, 403, 'Forbidden');
    // Compared as text: `new URL` throws for targets such as `//`, and nothing catches what a listener throws.
    if ((request.url ?? '').split('?', 1)[0] !== options.path) return refuse(socket, 404, 'Not Found');
    sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
  };
  options.server.on('upgrade', upgrade);

  const server = useServer(
    {
      // What was not foreseen is masked here too, and never becomes a close reason, which must be short.
      isProd: true,
      async onSubscribe({ extra, subscriptions }, _id, payload): Promise<ExecutionArgs | readonly GraphQLError[]> {
        if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS_PER_SOCKET) {
          return [
            new GraphQLError(`expected at most ${MAX_SUBSCRIPTIONS_PER_SOCKET} operations at once on one socket`),
          ];
        }
        try {
          const document = parse(payload.query, { maxTokens: MAX_TOKENS });
          const errors = validate(options.schema, document, [...specifiedRules, depthLimit]);
          if (errors.length > 0) return errors;
          return {
            schema: options.schema,
            document,
            operationName: payload.operationName ?? null,
            variableValues: payload.variables ?? null,
            contextValue: await createContext(options, {
              remoteAddress: extra.request.socket.remoteAddress,
              headers: extra.request.headers,
            }),
          };
        } catch (error) {
          return [error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error })];
        }
      },
      onError: (_context, _id, _payload, errors) => errors.map((error) => format(error.toJSON(), error, options.log)),
      onNext: (_context, _id, _payload, _args, result) =>
        result.errors
          ? { ...result, errors: result.errors.map((error) => format(error.toJSON(), error, options.log)) }
          : (result as never),
    },
    sockets,
  );
  return {
    async close() {
      options.server.off('upgrade', upgrade);
      await server.dispose();
    },
  };
}

function refuse(socket: Duplex, status: number, reason: string): void {
  // A client that keeps its half open holds nothing.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
