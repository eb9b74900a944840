import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type LineageSink, type Sent } from '../../control/ports.ts';
import { retryAfterMs } from './retry-after.ts';

export interface OpenLineageHttp {
  url: string;
  /** Path below the URL. */
  endpoint: string;
  /** Null: none is sent. */
  apiKey: string | null;
  compression: 'none' | 'gzip';
  /** Default: 10 seconds. */
  timeoutMs?: number;
}

/**
 * Answers that mend without the event: whoever runs the receiver or this service has something to put right, or time has. With any other 4xx the
 * receiver says of the event itself that it will not have it.
 */
const NOT_ABOUT_THE_EVENT = new Set([401, 402, 403, 404, 405, 407, 408, 409, 421, 423, 425, 429]);
/** Of an answer, for the log. */
const MOST_CHARACTERS = 300;
const compress = promisify(gzip);

/** Posts events to a receiver of OpenLineage, as its own clients do. */
export function createOpenLineageHttp({ timeoutMs = 10_000, ...of }: OpenLineageHttp): LineageSink {
  const url = `${of.url.replace(/\/+$/, '')}/${of.endpoint.replace(/^\/+/, '')}`;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    ...(of.compression === 'gzip' && { 'content-encoding': 'gzip' }),
    ...(of.apiKey !== null && { authorization: `Bearer ${of.apiKey}` }),
  };

  async function post(text: string, signal: AbortSignal): Promise<Sent> {
    const response = await fetch(url, {
      ...{ method: 'POST', headers, signal },
      body: of.compression === 'gzip' ? new Uint8Array(await compress(text)) : text,
      // A POST that follows a redirect may arrive as a GET.
      redirect: 'manual',
    });
    if (response.ok) {
      await response.body?.cancel();
      return { kind: 'sent' };
    }
    const { status } = response;
    const said = (await response.text().catch(() => '')).slice(0, MOST_CHARACTERS);
    const reason = `expected 2xx from the OpenLineage receiver, got ${status}${said === '' ? '' : `: ${said}`}`;
    if (status >= 400 && status < 500 && !NOT_ABOUT_THE_EVENT.has(status)) return { kind: 'refused', reason };
    return { kind: 'unavailable', reason, afterMs: retryAfterMs(response.headers.get('retry-after')) };
  }

  return {
    name: 'http',
    async send(event, signal) {
      const limit = AbortSignal.timeout(timeoutMs);
      try {
        return await post(JSON.stringify(event), AbortSignal.any([signal, limit]));
      } catch (error) {
        const reason = limit.aborted ? `no answer within ${timeoutMs} ms` : causeOf(error);
        return {
          kind: 'unavailable',
          reason: `expected the OpenLineage receiver to answer, got ${reason}`,
          afterMs: null,
        };
      }
    },
  };
}

/** `fetch failed` says nothing; what it was caused by does. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name);
}
