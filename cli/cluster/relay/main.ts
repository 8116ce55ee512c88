import { createLink, type Route } from './link.ts';
import { relayTcp } from './tcp.ts';
import { relayUdp } from './udp.ts';

/** What the relay is told over its IPC channel. */
export interface RelayMessage {
  isCut: boolean;
}

// The link between the nodes of a loopback cluster: a process of its own, steered by its parent. Its argument is a JSON
// array of routes.
const routes = JSON.parse(process.argv[2] ?? '[]') as Route[];
const link = createLink();
process.on('message', ({ isCut }: RelayMessage) => link.set(isCut));
process.once('disconnect', () => process.exit(0));
for (const route of routes) await (route.protocol === 'tcp' ? relayTcp : relayUdp)(route, link);
process.send?.('ready');
