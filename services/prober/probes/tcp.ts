import { connect, type Socket } from 'node:net';
import { failed, ok, type Verdict } from '../verdict.ts';

export interface TcpReading {
  address: string;
  port: number;
  /** Milliseconds until the first connection stood; null when none did. */
  connectMs: number | null;
  /** `timeout`, or the code of the last error such as ECONNREFUSED; empty when connected. */
  fault: string;
}

/** Milliseconds from one attempt to the next: TCP's own first retransmission takes a second. */
const stagger = 200;

/**
 * Connects by TCP, with a further attempt each 200 ms until the first stands or the time is over: on a lossy path one SYN
 * alone would often be lost. A refusal ends it at once. Never throws.
 */
export function readTcp(address: string, port: number, timeoutMs: number): Promise<TcpReading> {
  const started = performance.now();
  const sockets = new Set<Socket>();
  return new Promise((resolve) => {
    const finish = (connectMs: number | null, fault: string) => {
      clearInterval(attempts);
      clearTimeout(limit);
      for (const socket of sockets) socket.destroy();
      resolve({ address, port, connectMs, fault });
    };
    const attempt = () => {
      const socket = connect({ host: address, port });
      sockets.add(socket);
      socket.once('connect', () => finish(performance.now() - started, ''));
      socket.once('error', (error: NodeJS.ErrnoException) => finish(null, error.code ?? error.message));
    };
    const attempts = setInterval(attempt, stagger);
    const limit = setTimeout(() => finish(null, 'timeout'), timeoutMs);
    attempt();
  });
}

/** Judges a TCP test point. @param name what is asked, as the reason names it */
export function judgeTcp(reading: TcpReading, name: string): Verdict {
  const { address, port, connectMs, fault } = reading;
  const value = {
    address,
    port,
    method: 'tcp',
    rtt_ms: connectMs === null ? null : Math.round(connectMs * 100) / 100,
  };
  if (fault === '') return ok(value);
  return failed(`${name}: TCP port ${port} ${fault === 'timeout' ? 'does not answer' : `(${fault})`}`, value);
}

export async function probeTcp(
  address: string,
  port: number,
  timeoutMs: number,
  name: string,
): Promise<Verdict> {
  return judgeTcp(await readTcp(address, port, timeoutMs), name);
}
