import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { Pki } from './pki.ts';

/** Writes a kubeconfig for one node's kube-apiserver; cluster and context are named like the node. */
export function writeKubeconfig(file: string, node: string, server: string, pki: Pki): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: node, cluster: { server, 'certificate-authority': pki.ca } }],
    users: [{ name: 'admin', user: { token: pki.adminToken } }],
    contexts: [{ name: node, context: { cluster: node, user: 'admin' } }],
    'current-context': node,
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
}
