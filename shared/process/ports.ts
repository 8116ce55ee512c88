import { createServer } from 'node:net';
import { UserError } from '../lifecycle.ts';

/** A port that must be free, and what wants it. */
export interface WantedPort {
  host: string;
  port: number;
  /** `the client port of nats-server` */
  purpose: string;
}

/**
 * Checks before a start that ports are free, so that the first one that is not can be named.
 * @throws UserError
 */
export async function requireFreePorts(wanted: WantedPort[]): Promise<void> {
  for (const { host, port, purpose } of wanted) {
    const code = await listenError(host, port);
    if (code === 'EADDRINUSE') {
      throw new UserError(`port ${port} on ${host}, ${purpose}, is in use by another program`);
    }
    if (code !== null) throw new UserError(`cannot listen on ${host} port ${port}, ${purpose} (${code})`);
  }
}

/** A TCP port on 127.0.0.1 that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function listenError(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}
