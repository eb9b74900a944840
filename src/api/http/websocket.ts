import { type IncomingMessage, type Server } from 'node:http';
import { type Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { PushforwardError } from '../../base/errors.ts';
import { type RequestFacts } from '../../control/identity.ts';
import { format, type GraphqlOptions } from './graphql.ts';
import { refusal } from './guard.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { prepareOperation } from './operation.ts';

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
      onConnect: ({ extra }) => letIn(options, factsOf(extra.request)),
      async onSubscribe({ extra, subscriptions }, _id, payload): Promise<ExecutionArgs | readonly GraphQLError[]> {
        if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS_PER_SOCKET) {
          return [
            new GraphQLError(`expected at most ${MAX_SUBSCRIPTIONS_PER_SOCKET} operations at once on one socket`),
          ];
        }
        return await prepareOperation(options, factsOf(extra.request), payload);
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

const factsOf = ({ socket, headers }: IncomingMessage): RequestFacts => ({
  remoteAddress: socket.remoteAddress,
  headers,
});

/** False closes the socket as forbidden; each operation asks again, since what lets in may end before the socket does. */
async function letIn({ control }: GraphqlOptions, request: RequestFacts): Promise<boolean> {
  try {
    await control.authenticate(request);
    return true;
  } catch (error) {
    if (error instanceof PushforwardError && ['UNAUTHENTICATED', 'FORBIDDEN'].includes(error.code)) return false;
    throw error;
  }
}

function refuse(socket: Duplex, status: number, reason: string): void {
  // A client that keeps its half open holds nothing.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
