import { authorizeKey } from '../../../shared/mutation/datastore-write.ts';
import type { MutationLists } from '../../../shared/mutation/lists.ts';
import { shimRefusal } from '../../../shared/mutation/refusal.ts';
import { isRestricted, type NodeState } from '../../../shared/node.ts';
import type { WriteMethod } from '../backend.ts';
import { permissionDenied } from '../etcd/errors.ts';
import { mutationsOf } from '../mutations.ts';
import type { CurrentState } from '../state/service.ts';
import type { Store } from '../store/store.ts';

/** The request that is judged, and on what. */
export interface JudgedWrite {
  method: WriteMethod;
  request: Buffer;
  store: Store;
}

/**
 * Refuses a write that the state does not allow (invariant I3). Unrestricted states cost nothing.
 * @param current what the refusal tells: the state, since when, and why
 * @param state the state whose list is asked: a forwarded write is judged by its sender's
 * @throws EtcdError PERMISSION_DENIED with the sentence
 */
export function enforce(
  lists: MutationLists,
  state: NodeState,
  current: CurrentState,
  { method, request, store }: JudgedWrite,
): void {
  if (!isRestricted(state)) return;
  for (const { key, verb, value } of mutationsOf(method, request, store)) {
    const decision = authorizeKey(state, lists, { key, verb, ...(value && { value }) });
    if (!decision.allowed) throw permissionDenied(shimRefusal({ state, key, current, nowMs: Date.now() }));
  }
}
