import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Link, Route } from './link.ts';

/**
 * Passes connections on. While the link is cut, what is established hangs and goes on at healing, as TCP
 * does; what is dialled meanwhile gets no answer and is dropped at healing, so that the client dials again.
 * Nagle's algorithm is off, as in nats-server: with it each replicated write waits 40 ms for a delayed acknowledgement.
 */
export async function relayTcp({ from, to }: Route, link: Link): Promise<Server> {
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (near) => {
    near.on('error', () => near.destroy());
    if (link.isCut) holdUnanswered(near, link);
    else join(near, connect({ ...to, noDelay: true }), link);
  });
  server.listen(from.port, from.host);
  await once(server, 'listening');
  return server;
}

/** Reads and forgets, so that it sees the client give up. */
function holdUnanswered(near: Socket, link: Link): void {
  near.resume();
  const stop = link.onChange(() => near.destroy());
  near.once('close', stop);
}

function join(near: Socket, far: Socket, link: Link): void {
  const passOn = (one: Socket, other: Socket) => {
    one.on('data', (chunk) => {
      if (!other.write(chunk)) one.pause();
    });
    other.on('drain', () => {
      if (!link.isCut) one.resume();
    });
    one.on('end', () => other.end());
    one.on('error', () => one.destroy());
    one.once('close', () => other.destroy());
  };
  passOn(near, far);
  passOn(far, near);
  const flow = (isCut: boolean) => {
    for (const socket of [near, far]) {
      if (isCut) socket.pause();
      else socket.resume();
    }
  };
  flow(link.isCut);
  near.once('close', link.onChange(flow));
}
