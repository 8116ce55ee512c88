import type { Ports } from '../../shared/config/schema.ts';
import type { ServiceName } from '../../shared/status-endpoint.ts';

/** The services of a node, in the order of their start, and the port on which each answers /healthz. */
export const services: { name: ServiceName; healthPort: (ports: Ports) => number }[] = [
  { name: 'shim', healthPort: (ports) => ports.shimMetrics },
  { name: 'prober', healthPort: (ports) => ports.proberMetrics },
  { name: 'webhook', healthPort: (ports) => ports.webhookMetrics },
];

/** The parts of a node that are processes of their own below `twonode run`. */
export type NodeProcess = ServiceName | 'nats-server';

/** The process ids of a node: of `twonode run` and of what it supervises; absent between an end and the next start. */
export type NodePids = Partial<Record<NodeProcess | 'run', number>>;

/** What `twonode run` tells the process that started it, if that gave it an IPC channel. */
export interface RunMessage {
  /** Whether all services have answered once. */
  up: boolean;
  pids: NodePids;
}
