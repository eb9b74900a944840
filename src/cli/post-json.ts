import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { PushforwardError } from '../base/errors.ts';

/** So that a peer that is gone is noticed, however long the answer takes. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 };
const plain = new HttpAgent(KEEP_ALIVE);
const secure = new HttpsAgent(KEEP_ALIVE);

/**
 * POSTs JSON and waits for the answer as long as it takes: some requests delete or list many thousand objects first, and
 * `fetch` gives up after five minutes.
 * @throws NOT_READY where the connection breaks once the request is under way; what no connection was made for, as it is
 */
export async function postJson(url: URL, body: unknown, accept: string): Promise<{ status: number; text: string }> {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = { 'content-type': 'application/json', accept, 'content-length': bytes.length };
  for (;;) {
    let connected = false;
    let stale = false;
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const [send, agent] = url.protocol === 'https:' ? [httpsRequest, secure] : [httpRequest, plain];
        const request = send(url, { method: 'POST', headers, agent }, resolve);
        request.on('error', (error) => {
          // The service let go of a connection that was kept from before, at the same moment.
          stale = request.reusedSocket;
          reject(error);
        });
        request.on('finish', () => (connected = true));
        request.end(bytes);
      });
      return { status: response.statusCode!, text: await text(response) };
    } catch (error) {
      if (stale && (error as NodeJS.ErrnoException).code === 'ECONNRESET') continue;
      if (!connected) throw error;
      throw unanswered(url, (error as Error).message, error);
    }
  }
}

/** The request may have been carried out, or still be. */
export function unanswered(url: URL, got: string, cause?: unknown): PushforwardError {
  return new PushforwardError(
    'NOT_READY',
    `expected ${url.origin} to answer, got ${got}: what was asked for may go on there, look before you ask again`,
    {},
    { cause },
  );
}
