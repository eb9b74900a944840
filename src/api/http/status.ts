import { type ApolloServerPlugin } from '@apollo/server';
import { type ApiContext } from '../context.ts';

const RESPONSE_TYPE = 'application/graphql-response+json';

/** Well-formed requests whose document, operation name or variables are at fault. */
const DOCUMENT_CODES = new Set<unknown>([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'OPERATION_RESOLUTION_FAILURE',
  'LIMIT_EXCEEDED',
]);

/**
 * The status of a document that is refused follows the media type of the answer, as the GraphQL over HTTP specification
 * has it: 4xx for those who name `application/graphql-response+json`. A client that knows `application/json` alone could
 * not tell such an answer from one of a proxy, so it gets 200.
 */
export function status(): ApolloServerPlugin<ApiContext> {
  return {
    async requestDidStart() {
      return {
        async willSendResponse({ request, response: { http }, errors = [] }) {
          const accept = request.http?.headers.get('accept')?.toLowerCase() ?? '';
          if (accept.includes(RESPONSE_TYPE)) {
            http.headers.set('content-type', `${RESPONSE_TYPE}; charset=utf-8`);
          } else if (http.status === 400 && errors.every(({ extensions }) => DOCUMENT_CODES.has(extensions['code']))) {
            http.status = 200;
          }
        },
      };
    },
  };
}
