/** A receiver of webhooks that answers as it is told, and keeps what it got. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface ReceivedWebhook {
  path: string;
  headers: Record<string, string>;
  body: string;
}

export type SinkAnswer = (response: ServerResponse, received: ReceivedWebhook) => void;

export const status =
  (code: number, headers: Record<string, string> = {}): SinkAnswer =>
  (response) => {
    response.writeHead(code, headers).end(`said ${code}`);
  };
/** Never ends. */
export const hang: SinkAnswer = (response) => void response.writeHead(200).write('wait');
/** Ends amid the body. */
export const half: SinkAnswer = (response) => {
  response.writeHead(200, { 'content-length': '1000' }).write('a part', () => response.destroy());
};

export type WebhookSink = Awaited<ReturnType<typeof startWebhookSink>>;

export async function startWebhookSink() {
  const received: ReceivedWebhook[] = [];
  const sink = { answer: status(200) as SinkAnswer, connections: 0 };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const one = { path: request.url!, headers: request.headers as Record<string, string>, body };
      received.push(one);
      sink.answer(response, one);
    });
  });
  server.on('connection', () => void sink.connections++);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ url, received, sink },
    close: () =>
      new Promise<void>((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
