import type { NodeConfiguration } from '../../shared/config/schema.ts';
import type { ClusterNode } from './cluster-file.ts';

/** What `cluster.json` says of a node, before its processes run. */
export function describeNode({ name, role, ports }: NodeConfiguration): ClusterNode {
  const http = (port: number, path = '') => `http://127.0.0.1:${port}${path}`;
  return {
    name,
    role,
    etcd: http(ports.etcd),
    nats: `nats://127.0.0.1:${ports.nats}`,
    webhook: `https://127.0.0.1:${ports.webhook}/validate`,
    status: http(ports.shimMetrics, '/readyz'),
    metrics: {
      shim: http(ports.shimMetrics, '/metrics'),
      prober: http(ports.proberMetrics, '/metrics'),
      webhook: http(ports.webhookMetrics, '/metrics'),
    },
    api: null,
    kubeconfig: null,
    pids: {},
  };
}
