import { createHash } from 'node:crypto';
import { type ResponseHeader, responseHeader } from './messages.ts';

/** A stable 64-bit id for a cluster or member, from its name. */
export function idOf(name: string): bigint {
  return createHash('sha256').update(name).digest().readBigUInt64BE(0) >> 1n;
}

/** The fixed part of a response header, encoded. */
export function headerIdentity(clusterId: bigint, memberId: bigint, raftTerm: number): Buffer {
  return Buffer.from(responseHeader.encode({ clusterId, memberId, raftTerm }));
}

/** A whole response header, for the answers that are not on the hot path. */
export function headerAt(identity: Uint8Array, revision: number): ResponseHeader {
  return { ...responseHeader.decode(identity), revision };
}
