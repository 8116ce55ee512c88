import type { PeerView } from '../messages.ts';
import { isRestricted, type NodeState } from '../node.ts';
import { authorize, listOf, type Verdict } from './authorize.ts';
import type { MutationLists } from './lists.ts';
import { podPriority } from './pod-priority.ts';
import { datastoreGroup, parseKey } from './registry-key.ts';
import type { MutationRequest, MutationVerb } from './request.ts';
import { judgesPodPriority } from './rule.ts';

/** A Put or a deletion of one key, as the shim sees it. */
export interface DatastoreWrite {
  key: string;
  /** `create` when the key does not exist, `update` when it does. */
  verb: MutationVerb;
  /** What a Put stores; a function is called only when a rule needs it. */
  value?: Uint8Array | (() => Uint8Array | undefined) | undefined;
}

const everything: Verdict = Object.freeze({ allowed: true });

/**
 * Whether a node in `state` may write this key. Costs nothing in Leader and Follower. A DeleteRange over several keys is
 * judged for each of them by the caller.
 */
export function authorizeKey(
  state: NodeState,
  lists: MutationLists,
  write: DatastoreWrite,
  peer: PeerView | null = null,
): Verdict {
  if (!isRestricted(state)) return everything;
  const request: MutationRequest = { verb: write.verb, ...parseKey(write.key) };
  const createsPod = write.verb === 'create' && request.resource === 'pods' && request.apiGroup === '';
  if (createsPod && lists[listOf[state]].some(({ rule }) => judgesPodPriority(rule))) {
    const value = typeof write.value === 'function' ? write.value() : write.value;
    if (value) Object.assign(request, podPriority(value));
  }
  return authorize(state, lists, request, peer);
}

/** LeaseGrant, LeaseKeepAlive and LeaseRevoke, as rules name them. */
export const leaseCallsObject = { apiGroup: datastoreGroup, resource: 'leasecalls', namespace: '', name: '' };

/** Whether a node in `state` may grant, renew and revoke leases. */
export function leaseCallsAllowed(state: NodeState, lists: MutationLists): boolean {
  return authorize(state, lists, { verb: 'create', ...leaseCallsObject }).allowed;
}
