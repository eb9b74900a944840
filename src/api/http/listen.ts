import { type Server } from 'node:http';
import { PushforwardError } from '../../base/errors.ts';

/**
 * @param host null: every address of the machine
 * @param port 0: any free one
 * @throws INVALID_INPUT
 */
export function listen(server: Server, host: string | null, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EADDRINUSE' ? 'another process has it: stop that one or set PORT' : 'set HOST and PORT';
      reject(
        new PushforwardError(
          'INVALID_INPUT',
          `expected to listen on ${host ?? 'every address,'} port ${port}, got ${error.message}: ${remedy}`,
          {},
          { cause: error },
        ),
      );
    });
    server.listen({ port, ...(host !== null && { host: host.replace(/^\[|\]$/g, '') }) }, resolve);
  });
}
