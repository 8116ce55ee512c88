import { connect } from 'node:net';
import { faultOf } from '../verdict.ts';

/**
 * Connects to a unix socket and hangs up. Never throws.
 * @returns why it does not work: `timeout`, or the code of the error such as ECONNREFUSED; empty when it does
 */
export function connectFault(path: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const finish = (fault: string) => {
      clearTimeout(limit);
      socket.destroy();
      resolve(fault);
    };
    const limit = setTimeout(() => finish('timeout'), timeoutMs);
    socket.once('connect', () => finish(''));
    socket.once('error', (error) => finish(faultOf(error)));
  });
}
