import { randomBytes } from 'node:crypto';

/**
 * Makes lease ids for clients that leave the choice to the server: random and positive, as etcd's. The lowest bit is the
 * node's, so that the two nodes never give the same one while they cannot ask each other.
 */
export function newLeaseIds(half: 0 | 1): () => bigint {
  return () => ((randomBytes(8).readBigUInt64BE() >> 1n) & ~1n) | BigInt(half);
}
