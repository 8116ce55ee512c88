import type { NodeConfiguration } from '../../shared/config/schema.ts';
import type { WantedPort } from '../../shared/process/ports.ts';
import { services } from './services.ts';

/** The TCP ports on which the services of a node listen. */
export function servicePorts({ ports }: NodeConfiguration): WantedPort[] {
  const host = '127.0.0.1';
  return [
    { host, port: ports.etcd, purpose: 'the etcd port of the shim' },
    { host, port: ports.webhook, purpose: 'the port of the webhook' },
    ...services.map(({ name, healthPort }) => ({
      host,
      port: healthPort(ports),
      purpose: `the metrics port of the ${name}`,
    })),
  ];
}
