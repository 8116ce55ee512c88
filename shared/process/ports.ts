import { randomInt } from 'node:crypto';
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

/**
 * Where free ports are looked for: below those that Linux gives to connections by itself (from 32,768 on), one of which could
 * take a port before its program listens, and below those of `npm start`.
 */
const freePorts = { first: 10_240, last: 23_000 };
const freePortTriesMax = 100;

/**
 * A TCP port on 127.0.0.1 that is free now.
 * @param taken ports that are wanted already, though nobody listens on them yet
 * @throws UserError when none is found
 */
export async function freePort(taken: readonly number[] = []): Promise<number> {
  for (let tries = 0; tries < freePortTriesMax; tries++) {
    const port = randomInt(freePorts.first, freePorts.last + 1);
    if (!taken.includes(port) && (await listenError('127.0.0.1', port)) === null) return port;
  }
  throw new UserError(`no free port was found between ${freePorts.first} and ${freePorts.last} on 127.0.0.1`);
}

function listenError(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}
