import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import { type RequestHandler } from 'express';
import { type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { type Server } from 'node:http';
import { type Log } from '../../base/log.ts';
import { type Control } from '../../control/control.ts';
import { type RequestFacts } from '../../control/identity.ts';
import { type ApiContext } from '../context.ts';
import { formatError } from '../errors.ts';
import { createLoaders } from '../loaders.ts';
import { cost } from './cost.ts';
import { LIMITS, MAX_TOKENS } from './limits.ts';
import { status } from './status.ts';
import { timing } from './timing.ts';
import { currentTraceId } from './tracing.ts';

/** As the parser of graphql says it. */
const TOO_MANY_TOKENS = /^Syntax Error: Document contains more tha[nt] \d+ tokens/;

export interface GraphqlOptions {
  schema: GraphQLSchema;
  control: Control;
  log: Log;
}

/** Queries and mutations over HTTP. `stop` lets requests under way finish. */
export async function createGraphqlHandler(
  options: GraphqlOptions & { server: Server },
): Promise<{ handler: RequestHandler; stop(): Promise<void> }> {
  const apollo = new ApolloServer<ApiContext>({
    schema: options.schema,
    introspection: true,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    validationRules: [...LIMITS],
    parseOptions: { maxTokens: MAX_TOKENS },
    cache: 'bounded',
    persistedQueries: false,
    formatError: (formatted, error) => format(formatted, error, options.log),
    logger: {
      debug: (message) => options.log.debug(String(message)),
      info: (message) => options.log.debug(String(message)),
      warn: (message) => options.log.warn(String(message)),
      error: (message) => options.log.error(String(message)),
    },
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      timing(),
      status(),
      cost(),
      ApolloServerPluginDrainHttpServer({ httpServer: options.server, stopGracePeriodMillis: 5000 }),
    ],
  });
  await apollo.start();
  const handler = expressMiddleware(apollo, {
    context: ({ req }) => createContext(options, { remoteAddress: req.socket.remoteAddress, headers: req.headers }),
  });
  return { handler, stop: () => apollo.stop() };
}

export async function createContext(
  { control, log }: Omit<GraphqlOptions, 'schema'>,
  request: RequestFacts,
): Promise<ApiContext> {
  const principal = await control.authenticate(request);
  return { principal, control, log, loaders: createLoaders(control.read(principal)), traceId: currentTraceId() };
}

export function format(formatted: GraphQLFormattedError, error: unknown, log: Log): GraphQLFormattedError {
  if (TOO_MANY_TOKENS.test(formatted.message)) {
    const message = `expected a document of at most ${MAX_TOKENS} tokens, got more: send values as variables, or ask in several requests`;
    return { message, extensions: { code: 'LIMIT_EXCEEDED' } };
  }
  return formatError(formatted, error, { log, traceId: currentTraceId() });
}
