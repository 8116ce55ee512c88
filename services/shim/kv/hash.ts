import { crc32 } from 'node:zlib';
import { etcdErrors } from '../etcd/errors.ts';
import type { Store } from '../store/store.ts';

export interface KeyValueHash {
  hash: number;
  /** The revision up to which changes count. */
  revision: number;
  /** -1 when nothing was ever compacted, as in etcd. */
  compactRevision: number;
}

/**
 * A hash over everything that a client can still read up to a revision: what stood at the compact revision and all
 * changes since. It is equal on both nodes at the same revision and compact revision; it is not etcd's own number, which
 * is over pages of a bolt file. It is a sum, so that the order within a revision makes no difference.
 *
 * It walks the whole store in one turn of the event loop: about 0.2 s for 200,000 keys of 1 KiB.
 * @param wanted 0 is the newest revision
 * @throws EtcdError for a compacted or future revision
 */
export function hashKeyValues(store: Store, wanted: number): KeyValueHash {
  if (wanted > 0 && wanted < store.compacted) throw etcdErrors.compacted();
  if (wanted > store.visible) throw etcdErrors.futureRevision();
  const revision = wanted > 0 ? wanted : store.visible;
  let hash = 0;
  for (const { bytes } of store.range({ key: '', end: null, revision: store.compacted }))
    hash = (hash + crc32(bytes)) >>> 0;
  for (const { bytes } of store.changes(store.compacted, revision)) hash = (hash + crc32(bytes)) >>> 0;
  return { hash, revision, compactRevision: store.compacted || -1 };
}
