import { listOf } from '../../../shared/mutation/authorize.ts';
import {
  authorizeKey,
  leaseCallsAllowed,
  leaseCallsObject,
} from '../../../shared/mutation/datastore-write.ts';
import type { MutationLists } from '../../../shared/mutation/lists.ts';
import { type Restriction, shimLeaseRefusal, shimRefusal } from '../../../shared/mutation/refusal.ts';
import { parseKey } from '../../../shared/mutation/registry-key.ts';
import { isRestricted, type NodeState } from '../../../shared/node.ts';
import type { WriteMethod } from '../backend.ts';
import { permissionDenied } from '../etcd/errors.ts';
import { mutationsOf } from '../mutations.ts';
import type { CurrentState } from '../state/service.ts';
import type { Store } from '../store/store.ts';
import type { OnJudged } from './judged-writes.ts';

/** The request that is judged, and on what. */
export interface JudgedWrite {
  method: WriteMethod;
  request: Buffer;
  store: Store;
}

/**
 * Refuses a write that the state does not allow (invariant I3). Unrestricted states cost nothing.
 * @param state the state whose list is asked: a forwarded write may be judged by its sender's
 * @param current what the refusal tells: since when, and why; and what is known of the peer
 * @throws EtcdError PERMISSION_DENIED with the sentence
 */
export function enforce(
  { lists, node, onJudged }: { lists: MutationLists; node: string; onJudged: OnJudged },
  state: NodeState,
  current: CurrentState,
  { method, request, store }: JudgedWrite,
): void {
  if (!isRestricted(state)) return;
  const restriction: Restriction = {
    state,
    node,
    text: current.text,
    sinceMs: current.reasonSinceMs,
  };
  if (leaseCalls.has(method)) {
    const allowed = leaseCallsAllowed(state, lists);
    onJudged(state, leaseCallsObject, allowed);
    if (!allowed) throw permissionDenied(shimLeaseRefusal(restriction, listOf[state], Date.now()));
  }
  for (const { key, verb, value } of mutationsOf(method, request, store)) {
    const verdict = authorizeKey(state, lists, { key, verb, value }, current.peer);
    onJudged(state, parseKey(key), verdict.allowed);
    if (!verdict.allowed) throw permissionDenied(shimRefusal(restriction, key, verdict, Date.now()));
  }
}

const leaseCalls: ReadonlySet<WriteMethod> = new Set(['LeaseGrant', 'LeaseRevoke', 'LeaseKeepAlive']);
