import type { PeerView } from '../messages.ts';
import type { NodeState } from '../node.ts';
import type { KeyedObject } from './registry-key.ts';

/**
 * The node that holds leader elections in place of this one: beside a LeaderRX peer an Impaired node lets none of its controllers
 * go on leading, so that those of the peer take over. Else they would lead where they may write nothing. Null: they stay.
 */
export function electsOn(state: NodeState, peer: PeerView | null): string | null {
  return state === 'Impaired' && peer?.heard && peer.state === 'LeaderRX' ? peer.node : null;
}

/** Whether it is a Lease by which controllers elect their leader: neither the heartbeat of a kubelet nor the sign of life of a kube-apiserver. */
export function isElectionLease({ apiGroup, resource, namespace, name }: KeyedObject): boolean {
  if (apiGroup !== 'coordination.k8s.io' || resource !== 'leases') return false;
  if (namespace === 'kube-node-lease') return false;
  return namespace !== 'kube-system' || !name.startsWith('apiserver-');
}
