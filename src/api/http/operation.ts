import { type ExecutionArgs, getOperationAST, GraphQLError, parse, specifiedRules, validate } from 'graphql';
import { type RequestFacts } from '../../control/identity.ts';
import { createContext, type GraphqlOptions } from './graphql.ts';
import { costOf } from './cost.ts';
import { checkCost, LIMITS, MAX_TOKENS } from './limits.ts';

/** What a client sends of an operation, whatever the transport. */
export interface OperationRequest {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
}

/** An operation that may be carried out for whoever asks, or why not: for the transports that Apollo Server does not serve. */
export async function prepareOperation(
  options: GraphqlOptions,
  request: RequestFacts,
  { query, operationName, variables }: OperationRequest,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    const document = parse(query, { maxTokens: MAX_TOKENS });
    const beyond = validate(options.schema, document, LIMITS);
    if (beyond.length > 0) return beyond.slice(0, 1);
    const errors = validate(options.schema, document, specifiedRules);
    if (errors.length > 0) return errors;
    const operation = getOperationAST(document, operationName);
    if (operation) checkCost(costOf(options.schema, document, operation, variables ?? {}), operation);
    return {
      schema: options.schema,
      document,
      operationName: operationName ?? null,
      variableValues: variables ?? null,
      contextValue: await createContext(options, request),
    };
  } catch (error) {
    return [error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error })];
  }
}
