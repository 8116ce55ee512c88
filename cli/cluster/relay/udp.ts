import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Link, Route } from './link.ts';

/** Passes datagrams on in one direction, or loses them while the link is cut. Answers do not come back this way. */
export async function relayUdp({ from, to }: Route, link: Link): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (datagram) => {
    if (!link.isCut) socket.send(datagram, to.port, to.host);
  });
  socket.bind(from.port, from.host);
  await once(socket, 'listening');
  // A closed port behind the relay is the node's business, not ours.
  socket.on('error', () => {});
  return socket;
}
