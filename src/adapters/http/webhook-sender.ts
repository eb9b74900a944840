import { type ClientRequest, Agent as PlainAgent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { type WebhookAnswer, type WebhookRequest, type WebhookSender } from '../../control/ports.ts';
import { retryAfterMs } from './retry-after.ts';
import { createWebhookTargets, type Resolve } from './webhook-targets.ts';

export interface WebhookHttp {
  /** Ranges of addresses that may be reached though they are not public. */
  allow: readonly string[];
  /** Names the service to receivers. */
  userAgent: string;
  /** From the name's resolution to the last byte of the answer; default: 15 seconds. */
  timeoutMs?: number;
  /** Default: that of the system. */
  resolve?: Resolve;
}

/** Of an answer; what is longer is not read. */
const MOST_BYTES = 65_536;
const IDLE_MS = 4_000;

/** Posts webhooks as Standard Webhooks has them: id, time and signatures in headers, one signature for each valid secret. */
export function createWebhookHttp({
  allow,
  userAgent,
  timeoutMs = 15_000,
  resolve,
}: WebhookHttp): WebhookSender & { close(): void } {
  const targets = createWebhookTargets(allow, resolve);
  /** Connections go where this says, and nowhere else. */
  const pinned =
    (plain: boolean): LookupFunction =>
    (host, { all }, answer) => {
      targets.resolve(host, plain).then(
        (found) => (all ? answer(null, found) : answer(null, found[0]!.address, found[0]!.family)),
        (error: Error) => answer(error, ''),
      );
    };
  // An idle connection is closed before most receivers do, so that few requests meet one that has just gone.
  const keep = { keepAlive: true, timeout: IDLE_MS, scheduling: 'lifo' } as const;
  const agents = {
    plain: new PlainAgent({ ...keep, lookup: pinned(true) }),
    tls: new TlsAgent({ ...keep, lookup: pinned(false) }),
  };

  async function post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal) {
    const plain = url.protocol === 'http:';
    // Node asks `lookup` for names alone.
    if (isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) await targets.resolve(url.hostname, plain);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) }, signal };
    const sent: ClientRequest = plain
      ? plainRequest(url, { ...options, agent: agents.plain })
      : tlsRequest(url, { ...options, agent: agents.tls });
    sent.on('response', resolve);
    sent.on('error', (error) => reject(Object.assign(error, { reused: sent.reusedSocket })));
    sent.end(body);
    const response = await promise;
    return { response, text: await textOf(response) };
  }

  return {
    checkUrl: (url) => targets.checkUrl(url),

    async send(request, signal) {
      const begun = performance.now();
      const limit = AbortSignal.timeout(timeoutMs);
      const signed = { 'user-agent': userAgent, ...signatureHeaders(request, new Date()) };
      const answered = (result: WebhookAnswer['result']): WebhookAnswer => ({
        ...{ ms: performance.now() - begun, requestHeaders: signed, result },
      });
      const once = () =>
        post(new URL(request.url), { ...request.headers, ...signed }, request.body, AbortSignal.any([signal, limit]));
      try {
        const { response, text } = await once().catch((error: NodeJS.ErrnoException & { reused?: boolean }) => {
          // The receiver had closed a connection that we kept, so nothing was sent.
          if (error.reused && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) return once();
          throw error;
        });
        return answered({
          ...{ kind: 'answered', status: response.statusCode!, headers: headersOf(response), body: text },
          retryAfterMs: retryAfterMs(response.headers['retry-after'] ?? null),
        });
      } catch (error) {
        const { message, code } = error as NodeJS.ErrnoException;
        const reason = limit.aborted ? `no whole answer within ${timeoutMs} ms` : message || (code ?? 'nothing');
        return answered({ kind: 'failed', reason: `expected the endpoint to answer, got ${reason}` });
      }
    },

    close() {
      agents.plain.destroy();
      agents.tls.destroy();
    },
  };
}

function signatureHeaders({ id, body, secrets }: WebhookRequest, now: Date): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
  };
}

/** @throws where the answer is cut short */
async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    // Leaving the loop closes the connection.
    if (bytes >= MOST_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, MOST_BYTES).toString('utf8');
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}
