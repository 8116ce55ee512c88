/**
 * What clients asked of an etcd and what they were told: plain data, which can be sent between processes and kept in a file.
 * All times are of one clock that never goes back and is the same for every client (CLOCK_MONOTONIC), in milliseconds.
 */
export interface History {
  /** Only keys that begin with this are written by the clients of the history; others belong to somebody else. */
  prefix: string;
  operations: Operation[];
  watches: WatchRecord[];
  leases: LeaseRecord[];
}

/** A key with its value; version 0 is a deletion. A lease is its id in decimal, `0` for none. */
export interface KeyValue {
  key: string;
  value: string;
  createRevision: number;
  modRevision: number;
  version: number;
  lease: string;
}

/** `end` as in etcd: empty is the one key, `\0` is no end, else the first key that is not in the range. */
export interface KeyRange {
  key: string;
  end: string;
}

export type Op =
  /** `revision` 0 is the newest; `limit` 0 is none. */
  | ({ kind: 'get'; revision: number; limit: number } & KeyRange)
  | { kind: 'put'; key: string; value: string; lease: string }
  | ({ kind: 'delete' } & KeyRange);

/** A condition: the key's mod revision (0: it is not there), version or value is this. */
export interface Compare {
  key: string;
  target: 'modRevision' | 'version' | 'value';
  equals: number | string;
}

/** A call. A Range, Put or DeleteRange is one op without conditions. */
export interface Request {
  compare: Compare[];
  success: Op[];
  failure: Op[];
}

export type OpResult =
  | { kind: 'get'; keyValues: KeyValue[]; count: number }
  /** The key as it was before; null when it was not there. */
  | { kind: 'put'; previous: KeyValue | null }
  | { kind: 'delete'; deleted: number; previous: KeyValue[] };

export interface Answer {
  /** The revision in the answer's header. */
  revision: number;
  succeeded: boolean;
  results: OpResult[];
}

export interface Operation {
  /** `node-a`, or an address. */
  endpoint: string;
  invokedMs: number;
  /** When the answer or the error came. */
  returnedMs: number;
  request: Request;
  /** A read that may be old, but not wrong. */
  serializable: boolean;
  /** The answer; `refused` when it surely did not happen; `unknown` when it may have happened, or may happen yet. */
  outcome: Answer | 'refused' | 'unknown';
}

export interface WatchAnswer {
  atMs: number;
  /** The revision in the answer's header. */
  revision: number;
  /** Empty for a progress notice. */
  events: WatchEvent[];
}

export interface WatchEvent {
  keyValue: KeyValue;
  /** The key as it was before; null when it was not there. */
  previous: KeyValue | null;
}

/** One watch, from its first event to where its stream broke or ended. It always asks for previous values. */
export interface WatchRecord extends KeyRange {
  endpoint: string;
  startRevision: number;
  answers: WatchAnswer[];
}

/** A lease that the clients were granted. */
export interface LeaseRecord {
  id: string;
  ttlMs: number;
  /** The calls that were answered with a full TTL: the grant and each keep-alive. */
  renewals: { askedMs: number /** In the answer's header. */; revision: number }[];
  /** When it was first asked to be revoked; null: never. */
  revokedMs: number | null;
}
