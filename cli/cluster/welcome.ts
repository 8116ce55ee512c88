import { relative } from 'node:path';
import type { NodeState } from '../../shared/node.ts';
import type { Cluster, ClusterNode } from './cluster-file.ts';
import { renderTable } from './table.ts';

/** What `npm start` prints when all is up: where everything is, and what to try. */
export function welcome(cluster: Cluster, states: Map<string, NodeState | null>, dataDir: string): string {
  const row = (title: string, cell: (node: ClusterNode) => string | null) => [
    title,
    ...cluster.nodes.map((node) => cell(node) ?? 'none'),
  ];
  const table = renderTable([
    row('node', ({ name }) => name),
    row('role', ({ role }) => role),
    row('state', ({ name }) => states.get(name) ?? 'unknown'),
    row('etcd', ({ etcd }) => etcd),
    row('nats', ({ nats }) => nats),
    row('webhook', ({ webhook }) => webhook),
    row('metrics', ({ metrics }) => metrics.shim),
    row('', ({ metrics }) => metrics.prober),
    row('', ({ metrics }) => metrics.webhook),
    row('api', ({ api }) => api),
    row('kubeconfig', ({ kubeconfig }) => kubeconfig && here(kubeconfig)),
  ]);
  const tries = cluster.nodes.every(({ kubeconfig }) => kubeconfig)
    ? withKubernetes(cluster)
    : withoutKubernetes(cluster);
  return `\n${table}\n\n${tries}\n\nData, logs and cluster.json are in ${here(dataDir)}. Ctrl-C stops everything; the data stays.\n`;
}

function withKubernetes({ kubectl, nodes }: Cluster): string {
  const [leader, follower] = nodes.map((node) => {
    return `${kubectl ? here(kubectl) : 'kubectl'} --kubeconfig ${here(node.kubeconfig ?? '')}`;
  });
  return [
    'Three things to try, in another terminal:',
    '  1. Write on one node, read on the other:',
    `       ${leader} create configmap hello --from-literal=from=node-a`,
    `       ${follower} get configmap hello -o yaml`,
    '  2. Cut the link, look, and be refused:',
    '       bin/twonode.js fault cut-link && bin/twonode.js status',
    `       ${follower} create deployment web --image=nginx`,
    '  3. Heal it:',
    '       bin/twonode.js fault heal && bin/twonode.js status',
  ].join('\n');
}

function withoutKubernetes({ nodes }: Cluster): string {
  return [
    'There is no kube-apiserver here. To use one of your own, point it, or a k3s, at a node:',
    ...nodes.map(({ etcd }) => `  k3s server --datastore-endpoint=${etcd}`),
    'Three things to try, in another terminal:',
    '  1. bin/twonode.js status',
    '  2. bin/twonode.js fault cut-link && bin/twonode.js status',
    '  3. bin/twonode.js fault heal && bin/twonode.js status',
  ].join('\n');
}

/** A path as short as it can be typed from where the reader is. */
function here(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('../../') ? path : short;
}
