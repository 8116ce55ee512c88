import type { Database } from './store/database.ts';
import type { WatchHub } from './watch/watch-hub.ts';

/** The calls that change the store, or need the clock of whoever owns the leases. */
export type WriteMethod =
  | 'Put'
  | 'DeleteRange'
  | 'Txn'
  | 'Compact'
  | 'LeaseGrant'
  | 'LeaseRevoke'
  | 'LeaseKeepAlive'
  | 'LeaseTimeToLive'
  | 'LeaseLeases'
  | 'Alarm'
  /** Not etcd's: ends a conflict, see conflicts/resolve.ts. */
  | 'ResolveConflict';

/** Where writes go: the log of this node, the leader over the link, or the overlay. */
export interface Writes {
  /**
   * @param request the encoded etcd request
   * @param answerBytesMax the largest answer that the caller can take; a write whose answer is larger is not done
   * @returns the encoded etcd response, when the write is acknowledged
   * @throws EtcdError
   */
  write(method: WriteMethod, request: Buffer, answerBytesMax?: number): Promise<Uint8Array>;
}

/** What the etcd API stands on. */
export interface Backend extends Writes {
  /** What readers of this node see. It is another object after a reconvergence. */
  readonly database: Database;
  readonly watches: WatchHub;
  /** Encoded cluster id, member id and raft term: the fixed part of each response header. */
  readonly identity: Uint8Array;
  /** Resolves when a read of this node's database is linearizable. @throws EtcdError */
  linearizable(): Promise<void>;
  readonly cluster: ClusterView;
}

/** What Status and MemberList tell. */
export interface ClusterView {
  readonly memberId: bigint;
  /** The member that takes writes now; 0n when there is none. */
  leaderId(): bigint;
  /** Number of the epoch; etcd calls it the raft term. */
  term(): number;
  /** Sequence of the newest record. */
  logSequence(): number;
  /** Writes that wait for the log of this node. */
  pendingWrites(): number;
  /** Size of the log on disk in bytes. */
  logBytes(): Promise<number>;
  quotaBytes: number;
  members(): { id: bigint; name: string; clientUrl: string }[];
}
