import type { NatsConnection } from 'nats';
import { subjects } from './subjects.ts';

export type ServiceName = 'shim' | 'prober' | 'webhook';

/**
 * Registers a NATS micro service with one endpoint, `status`, which answers with the current value as JSON: whoever comes
 * late asks it. `nats micro ls` on either node lists the services of both.
 */
export async function serveStatus(
  connection: NatsConnection,
  service: ServiceName,
  node: string,
  current: () => unknown,
): Promise<void> {
  const micro = await connection.services.add({
    name: `twonode-${service}`,
    version: '0.1.0',
    description: `twonode ${service} of ${node}`,
    metadata: { node },
    queue: '',
  });
  micro.addEndpoint('status', {
    subject: subjects.status(node, service),
    handler: (error, message) => {
      if (!error) message.respond(JSON.stringify(current()));
    },
  });
}
