import { createServer, type IncomingHttpHeaders } from 'node:http';

/** As much of S3 as one object needs, in memory and without any check: for what a real server does not do wrong. */
export interface S3Double {
  endpoint: string;
  readonly requests: { method: string; query: string; headers: IncomingHttpHeaders }[];
  stop(): Promise<void>;
}

/**
 * @param heeds which conditional writes it heeds: those of objects sent whole, and those of multipart uploads
 * @param unknown headers that it answers with 501
 */
export async function startS3Double(
  heeds: { whole: boolean; parts: boolean },
  unknown: readonly string[] = [],
): Promise<S3Double> {
  const objects = new Map<string, Buffer>();
  const requests: S3Double['requests'] = [];
  let uploaded = Buffer.alloc(0);
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', headers } = request;
      const { pathname: key, searchParams } = new URL(request.url!, 'http://double');
      requests.push({ method, query: [...searchParams.keys()].join(), headers });
      const body = Buffer.concat(pieces);
      const xml = (text: string, status = 200) => response.writeHead(status).end(`<?xml version="1.0"?>${text}`);
      const write = (bytes: Buffer, heeded: boolean) => {
        if (heeded && headers['if-none-match'] === '*' && objects.has(key)) {
          return xml('<Error><Code>PreconditionFailed</Code></Error>', 412);
        }
        objects.set(key, bytes);
        response.setHeader('ETag', '"etag"');
        return xml('<CompleteMultipartUploadResult><ETag>"etag"</ETag></CompleteMultipartUploadResult>');
      };
      if (unknown.some((name) => headers[name] !== undefined)) {
        return xml('<Error><Code>NotImplemented</Code></Error>', 501);
      }
      if (searchParams.has('uploads')) {
        return xml('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>');
      }
      if (searchParams.has('partNumber')) {
        uploaded = body;
        return response.setHeader('ETag', '"part"').end();
      }
      if (method === 'POST') return write(uploaded, heeds.parts);
      if (method === 'PUT') return write(body, heeds.whole);
      if (method === 'DELETE') {
        if (!searchParams.has('uploadId')) objects.delete(key);
        return response.writeHead(204).end();
      }
      const found = objects.get(key);
      if (!found) return xml('<Error><Code>NoSuchKey</Code></Error>', 404);
      return response.setHeader('Content-Length', found.length).end(method === 'HEAD' ? undefined : found);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    requests,
    stop: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
