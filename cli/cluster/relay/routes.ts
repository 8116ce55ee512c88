import type { TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Route } from './link.ts';

/** What passes between two nodes: the leaf link to the leader, the beats, and the probe of the peer's API. */
export function routesOf(config: TwoNodeConfiguration): Route[] {
  return config.nodes.flatMap(({ role, address, bind, ports }) => {
    const route = (protocol: Route['protocol'], port: number): Route => ({
      protocol,
      from: { host: address, port },
      to: { host: bind ?? address, port },
    });
    const both = [route('udp', ports.beat), route('tcp', ports.api)];
    return role === 'leader' ? [...both, route('tcp', ports.leaf)] : both;
  });
}
