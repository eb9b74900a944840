/** A receiver of webhooks in a process of its own: counts what arrives, and whether the events of each run come in their order. */
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface SinkReport {
  url: string;
  requests: number;
  /** Events that came, each counted once. */
  events: number;
  /** Events that came first after a later one of their run. */
  outOfOrder: number;
  /** Milliseconds between the first request and the last. */
  ms: number;
}

const seen = new Set<string>();
const newest = new Map<string, number>();
const report: SinkReport = { url: '', requests: 0, events: 0, outOfOrder: 0, ms: 0 };
let firstAt = 0;

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const { id, subject } = JSON.parse(Buffer.concat(parts).toString('utf8')) as { id: string; subject: string };
    report.requests += 1;
    firstAt ||= performance.now();
    report.ms = performance.now() - firstAt;
    if (!seen.has(id)) {
      seen.add(id);
      report.events += 1;
      const sequence = Number(id.split('/')[1]);
      if (sequence < (newest.get(subject) ?? 0)) report.outOfOrder += 1;
      newest.set(subject, Math.max(sequence, newest.get(subject) ?? 0));
    }
    response.writeHead(200).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  report.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  process.on('message', () => void process.send!(report));
  process.send!(report);
});
