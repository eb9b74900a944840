import { Router } from 'express';
import { type RuruClientConfig, ruruHTML } from 'ruru/server';
import { serveStatic } from 'ruru/static';

const STATIC_PATH = '/graphiql/static/';

/** What someone who comes for the first time finds: each of them answers as it stands. */
export const WELCOME = `# Ctrl-Enter sends the query you are in.
# No headers are needed.
# schema/operations has more to paste.

# What there is to distil.
query Datasets {
  datasets(first: 5) {
    nodes {
      id
      name
      latestVersion {
        id
        images
        classes { name images }
      }
    }
  }
}

# The newest runs, and what they found.
query Runs {
  runs(first: 5) {
    nodes {
      id
      state
      costUsd
      stages { name state }
      overall { w2Weighted reduction }
    }
  }
}
`;

/** Opens the documentation beside the query, once: whoever closes it has it closed. */
const OPEN_DOCUMENTATION = `<script>
  if (!localStorage.getItem('pushforward:welcomed')) {
    localStorage.setItem('pushforward:welcomed', 'true');
    localStorage.setItem('graphiql:visiblePlugin', 'Documentation Explorer');
  }
</script>`;

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
    htmlParts: {
      titleTag: '<title>Pushforward GraphQL</title>',
      bodyScripts: (scripts) => `${OPEN_DOCUMENTATION}\n${scripts}`,
    },
  });
  const router = Router();
  router.get('/graphiql', (_request, response) => {
    response.set('Content-Security-Policy', POLICY).type('html').send(page);
  });
  router.use(serveStatic(STATIC_PATH));
  return router;
}
