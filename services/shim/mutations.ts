import type { WriteMethod } from './backend.ts';
import { resolveRequest } from './conflicts/resolve.ts';
import {
  deleteRangeRequest,
  leaseRevokeRequest,
  putRequest,
  type RequestOp,
  txnRequest,
} from './etcd/messages.ts';
import { rangeEnd } from './kv/range.ts';
import type { Store } from './store/store.ts';

/** One key that a request would change. */
export interface Mutation {
  key: string;
  verb: 'create' | 'update' | 'delete';
  /** The value that it would get. */
  value: Uint8Array | undefined;
}

/**
 * What a request would change, whichever branch of a Txn is taken, so that no call carries a change past the lists.
 * @throws WireError
 */
export function mutationsOf(method: WriteMethod, request: Buffer, store: Store): Mutation[] {
  switch (method) {
    case 'Put': {
      const { key, value } = putRequest.decode(request);
      return [put(store, key, value)];
    }
    case 'DeleteRange': {
      const { key, rangeEnd: end } = deleteRangeRequest.decode(request);
      return deletions(store, key, end);
    }
    case 'Txn': {
      const { success, failure } = txnRequest.decode(request);
      return [...success, ...failure].flatMap((op) => opMutations(op, store));
    }
    case 'Compact':
      return [{ key: compactRevisionKey, verb: 'update', value: undefined }];
    case 'LeaseRevoke':
      return store
        .leasedKeys(leaseRevokeRequest.decode(request).id)
        .map((key) => ({ key, verb: 'delete', value: undefined }));
    case 'ResolveConflict': {
      const { apply, key, deleted, value } = resolveRequest.decode(request);
      if (!apply) return [];
      return [deleted ? { key, verb: 'delete', value: undefined } : put(store, key, value)];
    }
    default:
      return [];
  }
}

/** kube-apiserver's own key for compaction: whoever may write it may compact. */
const compactRevisionKey = 'compact_rev_key';

function opMutations(op: RequestOp, store: Store): Mutation[] {
  if (op.requestPut) return [put(store, op.requestPut.key, op.requestPut.value)];
  if (op.requestDeleteRange)
    return deletions(store, op.requestDeleteRange.key, op.requestDeleteRange.rangeEnd);
  if (!op.requestTxn) return [];
  return [...op.requestTxn.success, ...op.requestTxn.failure].flatMap((inner) => opMutations(inner, store));
}

function put(store: Store, key: string, value: Uint8Array): Mutation {
  return { key, verb: store.current(key) ? 'update' : 'create', value };
}

/** A deletion of one key is judged whether the key is there or not; one of a range by the keys that it holds. */
function deletions(store: Store, key: string, end: string): Mutation[] {
  const range = rangeEnd(end);
  if (range === undefined) return [{ key, verb: 'delete', value: undefined }];
  const keys = store.range({ key, end: range, revision: store.head }).map((version) => version.entry.key);
  return keys.map((found) => ({ key: found, verb: 'delete', value: undefined }));
}
