import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { type RequestHandler, type Response } from 'express';
import { PushforwardError } from '../../base/errors.ts';

/** Objects behind signed URLs, for a store that cannot serve them itself. */
export interface ObjectAccess {
  /** @param url path and query @throws FORBIDDEN for a URL that was not signed or has expired */
  verify(url: string): { key: string; filename: string | null; mediaType: string | null };
  head(key: string): Promise<{ bytes: number; etag: string } | null>;
  stream(key: string, range?: { offset: number; bytes: number }): AsyncIterable<Uint8Array>;
  /**
   * Keeps a part of an upload. Absent where the store takes them itself.
   * @param announcedBytes what the sender says that it will send
   * @throws FORBIDDEN as `verify` does; INVALID_INPUT for other bytes than the URL was signed for
   */
  receive?: (url: string, body: AsyncIterable<Uint8Array>, announcedBytes: number | null) => Promise<void>;
}

/** A report may run its own script, but as a page of no origin: it can reach neither the API nor the network. */
const POLICY =
  "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:";
const SHOWN = ['text/html', 'image/png', 'image/jpeg', 'application/json', 'text/plain'];

export function serveObjects(objects: ObjectAccess): RequestHandler {
  return async (request, response) => {
    const { key, filename, mediaType } = objects.verify(request.originalUrl);
    const head = await objects.head(key);
    if (!head)
      return void response.status(404).json({ code: 'NOT_FOUND', message: `object ${key} is not there any more` });
    const type = mediaType ?? 'application/octet-stream';
    response.set({
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'private, max-age=31536000, immutable',
      'Accept-Ranges': 'bytes',
      ETag: `"${head.etag.replaceAll('"', '')}"`,
    });
    response.attachment(filename ?? undefined);
    if (SHOWN.includes(type)) {
      response.set('Content-Disposition', String(response.get('Content-Disposition')).replace(/^attachment/, 'inline'));
    }
    // After `attachment`, which would guess a type from the file's name.
    response.set('Content-Type', type.startsWith('text/') ? `${type}; charset=utf-8` : type);
    if (request.fresh) return void response.status(304).end();

    const range = parseRange(request.get('Range'), head.bytes);
    if (range === 'unsatisfiable') {
      return void response.status(416).set('Content-Range', `bytes */${head.bytes}`).end();
    }
    const bytes = range?.bytes ?? head.bytes;
    response.set('Content-Length', String(bytes));
    if (range) {
      response.status(206);
      response.set('Content-Range', `bytes ${range.offset}-${range.offset + bytes - 1}/${head.bytes}`);
    }
    if (request.method === 'HEAD') return void response.end();
    await send(objects.stream(key, range ?? undefined), response);
  };
}

export function receiveParts({ receive }: ObjectAccess): RequestHandler {
  return async (request, response, next) => {
    if (!receive) return next();
    const announced = request.get('Content-Length');
    try {
      await receive(request.originalUrl, request, announced === undefined ? null : Number(announced));
    } catch (error) {
      // The sender went away: there is nobody to tell.
      if (!request.complete && request.destroyed) return;
      // What is still to come is not read.
      response.set('Connection', 'close');
      throw error;
    }
    response.end();
  };
}

/** A client that goes away ends the reading; a store that fails ends the connection, so that nobody takes a part for the whole. */
async function send(bytes: AsyncIterable<Uint8Array>, response: Response): Promise<void> {
  try {
    await pipeline(Readable.from(bytes, { objectMode: false }), response);
  } catch (error) {
    if (response.destroyed || (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    response.destroy();
    throw new PushforwardError(
      'STORE_UNAVAILABLE',
      'expected to stream an object whole, got an error on the way',
      {},
      { cause: error },
    );
  }
}

/** One range of bytes; several at once are answered with the whole, as HTTP allows. */
export function parseRange(
  header: string | undefined,
  size: number,
): { offset: number; bytes: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const [from, to] = [match[1]!, match[2]!];
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start >= size || end < start) return 'unsatisfiable';
  return { offset: start, bytes: end - start + 1 };
}
