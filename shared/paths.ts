import { join, resolve } from 'node:path';
import type { TwoNodeConfiguration } from './config/schema.ts';

/** What the shim of `twonode etcd` must remember beside the log: how far it went. */
export function etcdShimFile(dataDir: string): string {
  return join(resolve(dataDir), 'shim.json');
}

/** Where a node keeps its things: all below `dataDir/<node>`, so that two nodes can share one configuration and machine. */
export function nodePaths(config: TwoNodeConfiguration, node: string) {
  const root = join(config.dataDir, node);
  return {
    root,
    /** The secret that both nodes share, 64 hex digits. */
    clusterKey: config.secrets.clusterKeyFile ?? join(config.dataDir, 'cluster.key'),
    /** nats-server's generated configuration and its JetStream store. */
    nats: join(root, 'nats'),
    /** What the state machine must remember. */
    stateFile: join(root, 'state.json'),
    /** The last changes of state, JSON lines. */
    historyFile: join(root, 'history.jsonl'),
    /** What the shim must remember beside the log: its last verified point. */
    shimFile: join(root, 'shim.json'),
    /** The one-use mark of `twonode init`: only with it may an empty store begin a new cluster. */
    initMark: join(root, 'init'),
    /** The one-use mark of `twonode leave`: the next stop is for long, and the peer is told so. */
    leaveMark: join(root, 'leave'),
    /** The one-use mark of `twonode promote`: this leader takes over a log whose leader is gone for good. */
    promoteMark: join(root, 'promote'),
    /** The mark of a leader which lacks records of the log, and has not got all of them back from its peer yet. */
    restoreMark: join(root, 'restore'),
    /** What the prober must remember: which checks were ever healthy on this installation. */
    proberFile: join(root, 'prober.json'),
    /** CA, certificate and static manifest of the admission webhook. */
    webhook: join(root, 'webhook'),
    /** `--admission-control-config-file` for the node's kube-apiserver, written by the webhook. */
    admissionConfig: join(root, 'webhook', 'admission-config.yaml'),
  };
}
export type NodePaths = ReturnType<typeof nodePaths>;
