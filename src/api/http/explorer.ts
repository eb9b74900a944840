import { Router } from 'express';
import { type RuruClientConfig, ruruHTML } from 'ruru/server';
import { serveStatic } from 'ruru/static';

const STATIC_PATH = '/graphiql/static/';

const WELCOME = `# The newest runs. Ctrl-Enter sends; the book on the left has the schema.
query Runs {
  runs(first: 5) {
    nodes {
      id
      state
      costUsd
      overall { w2Weighted w2Uniform reduction }
    }
  }
}
`;

/** Only what this service sends itself: the explorer works without any other network. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' blob:",
  "style-src 'self' 'unsafe-inline'",
  "worker-src 'self' blob:",
  "connect-src 'self' ws://localhost:* ws://127.0.0.1:*",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** GraphiQL, wholly from a package. */
export function explorer(graphqlPath: string): Router {
  const page = ruruHTML({
    staticPath: STATIC_PATH,
    endpoint: graphqlPath,
    subscriptionEndpoint: graphqlPath,
    clientConfig: { defaultQuery: WELCOME } as RuruClientConfig,
    htmlParts: { titleTag: '<title>Pushforward GraphQL</title>' },
  });
  const router = Router();
  router.get('/graphiql', (_request, response) => {
    response.set('Content-Security-Policy', POLICY).type('html').send(page);
  });
  router.use(serveStatic(STATIC_PATH));
  return router;
}
