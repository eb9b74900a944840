import { type ApolloServerPlugin } from '@apollo/server';
import { metrics, trace } from '@opentelemetry/api';
import { type OperationDefinitionNode } from 'graphql';
import { type ApiContext } from '../context.ts';

/**
 * Times operations by their root field, of which there are as many as the schema has: names are the callers' and have no
 * bound. The request's span says both.
 */
export function timing(): ApolloServerPlugin<ApiContext> {
  const durations = metrics.getMeter('pushforward.api').createHistogram('pushforward.api.duration', {
    unit: 's',
    description: 'Seconds of a GraphQL operation over HTTP',
  });
  return {
    async requestDidStart() {
      const start = performance.now();
      let operation = 'invalid';
      return {
        async didResolveOperation({ operation: node, operationName }) {
          if (!node) return;
          operation = operationOf(node);
          trace.getActiveSpan()?.setAttributes({
            'graphql.operation.type': node.operation,
            ...(operationName !== null && { 'graphql.operation.name': operationName }),
            'pushforward.api.operation': operation,
          });
        },
        async willSendResponse({ errors }) {
          const outcome = errors && errors.length > 0 ? 'error' : 'ok';
          durations.record((performance.now() - start) / 1000, { operation, outcome });
        },
      };
    },
  };
}

/** `mutation launchRun`; `query several` for more than one root field. */
function operationOf({ operation, selectionSet: { selections } }: OperationDefinitionNode): string {
  const [first] = selections;
  const field = selections.length === 1 && first?.kind === 'Field' ? first.name.value : 'several';
  return `${operation} ${field}`;
}
