import { relative } from 'node:path';
import type { NodeState } from '../../shared/node.ts';
import { type Cluster, type ClusterNode, defaultDataDir } from './cluster-file.ts';
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
    ? withKubernetes(cluster, dataDir)
    : withoutKubernetes(cluster, dataDir);
  return `\n${table}\n\n${tries}\n\nData, logs and cluster.json are in ${here(dataDir)}. Ctrl-C stops everything; the data stays.\n`;
}

function withKubernetes({ kubectl, nodes }: Cluster, dataDir: string): string {
  const [leader, follower] = nodes.map((node) => {
    return `${kubectl ? here(kubectl) : 'kubectl'} --kubeconfig ${here(node.kubeconfig ?? '')}`;
  });
  return [
    'Three things to try, in another terminal:',
    '  1. Write on one node, read on the other:',
    `       ${leader} create configmap hello --from-literal=from=node-a`,
    `       ${follower} get configmap hello -o yaml`,
    '  2. Cut the link, look, and be refused:',
    `       ${faultAndStatus('cut-link', dataDir)}`,
    `       ${follower} create deployment web --image=nginx`,
    '  3. Heal it:',
    `       ${faultAndStatus('heal', dataDir)}`,
  ].join('\n');
}

function withoutKubernetes({ nodes }: Cluster, dataDir: string): string {
  return [
    'There is no kube-apiserver here. To use one of your own, point it, or a k3s, at a node:',
    ...nodes.map(({ etcd }) => `  k3s server --datastore-endpoint=${etcd}`),
    'Three things to try, in another terminal:',
    `  1. ${twonode('status', dataDir)}`,
    `  2. ${faultAndStatus('cut-link', dataDir)}`,
    `  3. ${faultAndStatus('heal', dataDir)}`,
  ].join('\n');
}

function faultAndStatus(fault: string, dataDir: string): string {
  return `${twonode('fault', dataDir)} ${fault} && ${twonode('status', dataDir)}`;
}

/** The command as it finds this cluster: one of another folder must be named. */
function twonode(command: string, dataDir: string): string {
  return `bin/twonode.js ${command}${dataDir === defaultDataDir ? '' : ` --data-dir ${here(dataDir)}`}`;
}

/** A path as short as it can be typed from where the reader is. */
function here(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('../../') ? path : short;
}
