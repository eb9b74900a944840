import { readFileSync } from 'node:fs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { type ErrorCode, fromErrorRecord, isErrorCode, PushforwardError } from '../base/errors.ts';
import { postJson, unanswered } from './post-json.ts';

/** A client of the GraphQL API like any other: it sends the operations under `schema/operations/`. */
export interface ApiClient {
  readonly url: string;
  /** Sends the named operation; GraphQL errors and failures of the transport are thrown. */
  send<T>(operation: string, variables: Record<string, unknown>): Promise<T>;
  /** Results of the named subscription until it completes or the signal aborts. */
  subscribe<T>(operation: string, variables: Record<string, unknown>, signal?: AbortSignal): AsyncIterable<T>;
  /** Downloads what a `downloadUrl` names. */
  download(url: string): Promise<Uint8Array>;
}

interface GraphqlAnswer<T> {
  data?: T | null;
  errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

/** What a failed operation answers with: every member of the error unions has these. */
export interface Refusal {
  __typename: string;
  code?: ErrorCode;
  message?: string;
}

/** @throws what the answer was refused with */
export function refuse({ code, message }: Refusal): void {
  if (message !== undefined) throw fromErrorRecord({ code: code!, message });
}

/** @param url of the service, such as `http://127.0.0.1:4000` */
export function createApiClient(url: string): ApiClient {
  const endpoint = new URL('/graphql', url);
  return {
    url,

    async send<T>(operation: string, variables: Record<string, unknown>) {
      const body = { query: readOperation(operation), variables };
      const answer = await reach(url, () => postJson(endpoint, body, ACCEPT));
      if (TIMED_OUT.has(answer.status)) throw unanswered(endpoint, `HTTP ${answer.status}, a timeout on the way`);
      return unwrap<T>(answerOf(url, answer));
    },

    async *subscribe<T>(operation: string, variables: Record<string, unknown>, signal?: AbortSignal) {
      const client = createClient({
        url: endpoint.href.replace(/^http/, 'ws'),
        webSocketImpl: WebSocket,
        retryAttempts: 5,
      });
      const results = client.iterate<T>({ query: readOperation(operation), variables });
      const stop = () => void results.return?.();
      signal?.addEventListener('abort', stop, { once: true });
      try {
        for await (const answer of results) yield unwrap(answer as GraphqlAnswer<T>);
      } catch (error) {
        throw error instanceof PushforwardError ? error : connectionLost(url, error);
      } finally {
        signal?.removeEventListener('abort', stop);
        await client.dispose();
      }
    },

    async download(of) {
      const response = await reach(url, () => fetch(of));
      if (!response.ok) {
        throw new PushforwardError(
          'STORE_UNAVAILABLE',
          `expected ${new URL(of).pathname} to download, got HTTP ${response.status}: ask for a new download URL`,
        );
      }
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}

/** A closed WebSocket rejects with its close event, one that could not be opened with an error event. */
function connectionLost(url: string, cause: unknown): PushforwardError {
  const { code, reason, message } = (cause ?? {}) as { code?: number; reason?: string; message?: string };
  const why = reason || message || (code === undefined ? 'it does not answer' : `close code ${code}`);
  return new PushforwardError(
    'NOT_READY',
    `expected the service at ${url} to stay, got disconnected (${why}): what was launched goes on when the service is started again`,
    {},
    { cause },
  );
}

const ACCEPT = 'application/graphql-response+json, application/json';
/** What servers between the service and us say once they have waited long enough. */
const TIMED_OUT = new Set([408, 504]);

async function reach<T>(url: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof PushforwardError) throw error;
    const cause = ((error as Error).cause ?? error) as Error & { code?: string };
    // Where a name has several addresses, all failures together have a code and no message.
    throw noService(url, cause.message || (cause.code ?? cause.name), error);
  }
}

/** GraphQL answers refused requests in JSON, too; anything else is not from the service. */
function answerOf<T>(url: string, { status, text }: { status: number; text: string }): GraphqlAnswer<T> {
  try {
    return JSON.parse(text) as GraphqlAnswer<T>;
  } catch (error) {
    throw noService(url, `HTTP ${status} without JSON`, error);
  }
}

function noService(url: string, got: string, cause: unknown): PushforwardError {
  return new PushforwardError(
    'INVALID_INPUT',
    `expected a Pushforward service at ${url}, got ${got}: start one with \`npm start\`, or correct --url`,
    {},
    { cause },
  );
}

function unwrap<T>(answer: GraphqlAnswer<T>): T {
  const [error] = answer.errors ?? [];
  if (error) {
    const code = error.extensions?.['code'];
    throw new PushforwardError(isErrorCode(code) ? code : 'INVALID_INPUT', error.message, error.extensions);
  }
  return answer.data as T;
}

function readOperation(name: string): string {
  return readFileSync(new URL(`../../schema/operations/${name}.graphql`, import.meta.url), 'utf8');
}
