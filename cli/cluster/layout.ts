import { join } from 'node:path';
import type { Ports } from '../../shared/config/schema.ts';

/** Below the range from which Linux hands out ports by itself. */
export const defaultPortBase = 23_700;
const portsPerNode = 20;
/** Ports from the base upwards that a cluster may use. */
export const portSpan = 3 * portsPerNode;

/**
 * The two nodes of a loopback cluster. A node listens on 127.0.0.1; its peer reaches it by `address`, where the relay
 * stands in for the link.
 */
const nodes = [
  { name: 'node-a', role: 'leader', address: '127.0.1.1' },
  { name: 'node-b', role: 'follower', address: '127.0.1.2' },
] as const;

const portNames = [
  'etcd',
  'nats',
  'monitoring',
  'leaf',
  'beat',
  'api',
  'webhook',
  'shimMetrics',
  'proberMetrics',
  'webhookMetrics',
] as const satisfies (keyof Ports)[];

export function gatewayPort(portBase: number): number {
  return portBase + 2 * portsPerNode;
}

/** Folder which stands in for the node's CNI configuration; `{node}` is filled in by the prober. */
export function cniFolder(dataDir: string, node: string): string {
  return join(dataDir, node, 'cni');
}

/** The configuration of a loopback cluster: the same file for both nodes, as on real ones. */
export function clusterConfiguration(dataDir: string, portBase: number): object {
  return {
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'loopback',
    dataDir,
    nodes: nodes.map((node, index) => ({
      ...node,
      bind: '127.0.0.1',
      ports: Object.fromEntries(
        portNames.map((name, offset) => [name, portBase + index * portsPerNode + offset + 1]),
      ),
    })),
    kubernetes: { kubeconfig: join(dataDir, '{node}', 'kubeconfig') },
    // Something to try on a restricted leader.
    approvedMutationList: [{ resources: ['pods'], verbs: ['create', 'delete'], minPriority: 1_000_000 }],
    probes: {
      nic: { interface: 'lo' },
      cni: { configDir: cniFolder(dataDir, '{node}'), interfaces: [] },
      // A relay cannot pass ICMP on.
      peerIcmp: { severity: 'off' },
      northSouth: [{ name: 'gateway', address: '127.0.0.1', method: 'tcp', port: gatewayPort(portBase) }],
    },
  };
}
