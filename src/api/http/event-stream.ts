import { once } from 'node:events';
import { type Request, type Response } from 'express';
import { type ExecutionArgs, type ExecutionResult, getOperationAST, GraphQLError, subscribe } from 'graphql';
import { invalid } from '../../base/errors.ts';
import { format, type GraphqlOptions } from './graphql.ts';
import { type OperationRequest, prepareOperation } from './operation.ts';

/** So that nothing on the way takes a quiet run for a dead connection. */
const KEEP_ALIVE_MS = 12_000;

/** Sequences number what a subscription tells; the last one seen goes in here to go on after it. */
const RESUME = 'afterSequence';

/**
 * Subscriptions as server-sent events, a connection each: the `distinct connections mode` of the graphql-sse protocol, by GET or
 * POST. An event carries its sequence as its id, and `Last-Event-ID`, which an `EventSource` sends when it connects again,
 * stands for the variable `afterSequence`.
 */
export function createEventStreams(options: GraphqlOptions): {
  handler(request: Request, response: Response): Promise<void>;
  /** Completes the streams. */
  close(): void;
} {
  const open = new Set<AbortController>();
  return {
    async handler(request, response) {
      const operation = resumed(operationOf(request), request.get('last-event-id'));
      const facts = { remoteAddress: request.socket.remoteAddress, headers: request.headers };
      const prepared = subscriptionsAlone(await prepareOperation(options, facts, operation));
      const refused = (errors: readonly GraphQLError[]) =>
        errors.map((error) => format(error.toJSON(), error, options.log));

      const leaving = new AbortController();
      open.add(leaving);
      response.once('close', () => leaving.abort());
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        // Proxies that gather an answer before they send it hold events back.
        'x-accel-buffering': 'no',
      });
      const keepAlive = setInterval(() => void response.write(':\n\n'), KEEP_ALIVE_MS);
      try {
        // Browsers take a stream as open once something has come.
        response.write(':\n\n');
        const results = isRefused(prepared) ? { errors: prepared } : await subscribe(prepared);
        for await (const result of Symbol.asyncIterator in results ? until(results, leaving.signal) : [results]) {
          const shown = { ...result, ...(result.errors && { errors: refused(result.errors) }) };
          // A client that reads slowly is waited for; the table of events keeps what comes meanwhile.
          if (!response.write(eventOf(shown))) await once(response, 'drain', { signal: leaving.signal });
        }
        response.write('event: complete\ndata: \n\n');
      } catch (error) {
        if (!leaving.signal.aborted) throw error;
      } finally {
        clearInterval(keepAlive);
        open.delete(leaving);
        response.end();
      }
    },
    close() {
      for (const stream of open) stream.abort();
    },
  };
}

/** @throws INVALID_INPUT for what is no subscription */
function operationOf(request: Request): OperationRequest {
  const { query, operationName, variables } = (
    request.method === 'GET' ? request.query : (request.body ?? {})
  ) as Record<string, unknown>;
  if (typeof query !== 'string') {
    throw invalid(
      `expected a subscription as text in "query", got ${typeof query}: send it as POST of JSON or in the URL`,
    );
  }
  const sent: unknown = typeof variables === 'string' ? parsed(variables) : variables;
  if (sent !== undefined && sent !== null && (typeof sent !== 'object' || Array.isArray(sent))) {
    throw invalid(`expected an object in "variables", got ${JSON.stringify(variables)}: correct them`);
  }
  return {
    query,
    operationName: typeof operationName === 'string' ? operationName : null,
    variables: sent as Record<string, unknown> | null | undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function resumed(operation: OperationRequest, lastEventId: string | undefined): OperationRequest {
  if (lastEventId === undefined || !/^\d{1,10}$/.test(lastEventId)) return operation;
  return { ...operation, variables: { ...operation.variables, [RESUME]: Number(lastEventId) } };
}

function subscriptionsAlone(
  prepared: ExecutionArgs | readonly GraphQLError[],
): ExecutionArgs | readonly GraphQLError[] {
  if (isRefused(prepared)) return prepared;
  const of = getOperationAST(prepared.document, prepared.operationName)?.operation;
  if (of === 'subscription') return prepared;
  return [new GraphQLError(`expected a subscription, got ${of ?? 'no operation of this name'}: send it to /graphql`)];
}

const isRefused = (prepared: ExecutionArgs | readonly GraphQLError[]): prepared is readonly GraphQLError[] =>
  Array.isArray(prepared);

/** Ends with the signal, also within a wait for the next result. */
async function* until(
  results: AsyncGenerator<ExecutionResult, void, void>,
  signal: AbortSignal,
): AsyncGenerator<ExecutionResult> {
  const leave = () => void results.return();
  if (signal.aborted) return leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    yield* results;
  } finally {
    signal.removeEventListener('abort', leave);
    leave();
  }
}

function eventOf(result: object): string {
  const data = 'data' in result ? (result.data as Record<string, { sequence?: unknown } | null> | null) : null;
  const sequence = Object.values(data ?? {})[0]?.sequence;
  const id = typeof sequence === 'number' ? `id: ${sequence}\n` : '';
  return `event: next\n${id}data: ${JSON.stringify(result)}\n\n`;
}
