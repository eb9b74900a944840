import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that can be cut and closed; its address stays when the server's changes. */
export interface TcpProxy {
  port: number;
  /** Where connections lead from now on. */
  lead(port: number): void;
  /** Ends every connection in the middle of what it does. @returns how many there were */
  cut(): number;
  /** Nothing passes any more, and nobody is told: a cable that was pulled. Also for connections to come, until it passes again. */
  silence(silent: boolean): void;
  /** Closed: connections end at once, those that are there and those to come. */
  close(closed: boolean): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(to: number): Promise<TcpProxy> {
  let target = to;
  let shut = false;
  let silent = false;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    near.on('error', () => {});
    if (shut) return void near.resetAndDestroy();
    const far = connect(target, '127.0.0.1');
    far.on('error', () => {});
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('data', (data) => void (silent || other.write(data)));
      one.once('end', () => void (silent || other.end()));
      one.once('close', () => other.destroy());
    }
    open.add(near);
    near.once('close', () => open.delete(near));
  });
  const cut = () => {
    const count = open.size;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    port: (server.address() as { port: number }).port,
    lead: (port) => void (target = port),
    cut,
    silence: (still) => void (silent = still),
    close(closed) {
      shut = closed;
      if (closed) cut();
    },
    stop() {
      cut();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
