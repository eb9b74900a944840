import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * What happens to a request on its way:
 * - `answerLost`: it is carried out, and the connection ends before the answer
 * - `cut`: the connection ends in the middle of the answer's body; `cutAtOnce`: before it begins
 * - `truncated`: half of the answer's body comes, and its headers say that it is all; `flipped`: one bit of it is another
 * - `flippedUpload`: one bit of the request's body is another
 * - an S3 error: it is answered without reaching the server
 */
export type Fault =
  'answerLost' | 'cut' | 'cutAtOnce' | 'truncated' | 'flipped' | 'flippedUpload' | { status: number; code: string };

export interface FaultProxy {
  endpoint: string;
  /** `METHOD query-names` of what came in, in order. */
  readonly seen: string[];
  /** Asked of every request, with how many of its kind came before it. */
  fault: (kind: string, before: number) => Fault | null;
  stop(): Promise<void>;
}

/** In front of an S3 server. Signatures stay right, because the `Host` that the client signed is handed on. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const proxy: FaultProxy = {
    endpoint: '',
    seen: [],
    fault: () => null,
    stop: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
  const server = createServer((request, response) => {
    const kind = kindOf(request);
    const before = proxy.seen.filter((other) => other === kind).length;
    proxy.seen.push(kind);
    const fault = proxy.fault(kind, before);
    if (fault !== null && typeof fault === 'object') return refuse(request, response, fault);
    const { hostname, port } = new URL(target);
    const { method, url: path, headers } = request;
    const onward = forward({ hostname, port, method, path, headers }, (answer) => {
      if (fault === 'answerLost') return void answer.resume().once('end', () => response.destroy());
      if (fault === 'truncated' || fault === 'flipped') return void damage(answer, response, fault);
      response.writeHead(answer.statusCode!, answer.headers);
      if (fault === 'cutAtOnce') {
        answer.destroy();
        return (void response.flushHeaders(), void response.destroy());
      }
      if (fault !== 'cut') return void answer.pipe(response);
      const half = Number(answer.headers['content-length']) / 2;
      let passed = 0;
      answer.on('data', (data: Buffer) => {
        passed += data.length;
        if (passed < half) response.write(data);
        else response.write(data.subarray(0, data.length / 2), () => response.destroy());
        if (passed >= half) answer.destroy();
      });
    });
    onward.on('error', () => response.destroy());
    if (fault !== 'flippedUpload') return void request.pipe(onward);
    wholeOf(request).then(
      (body) => onward.end(flipped(body)),
      // The client gave it up.
      () => onward.destroy(),
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  return proxy;
}

async function damage(answer: IncomingMessage, response: ServerResponse, how: 'truncated' | 'flipped'): Promise<void> {
  const whole = await wholeOf(answer);
  const body = how === 'flipped' ? flipped(whole) : whole.subarray(0, whole.length / 2);
  response.writeHead(answer.statusCode!, { ...answer.headers, 'content-length': String(body.length) });
  response.end(body);
}

async function wholeOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function flipped(body: Buffer): Buffer {
  if (body.length > 0) body[body.length >> 1]! ^= 1;
  return body;
}

/** For example `PUT`, `POST uploads`, `PUT partNumber,uploadId`. */
function kindOf({ method, url }: IncomingMessage): string {
  const names = [...new URL(url!, 'http://proxy').searchParams.keys()].filter((name) => name !== 'x-id').sort();
  return [method, names.join(',')].filter(Boolean).join(' ');
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code }: { status: number; code: string },
) {
  request.resume().once('end', () => {
    response.writeHead(status, { 'Content-Type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`);
  });
}
