import type { StateMessage } from '../../shared/messages.ts';
import type { KubeAccess } from './kube-client.ts';

/** Environment variable that hands the services' password to the client. */
export const passwordVariable = 'TWONODE_SERVICES_PASSWORD';

/** What a test asks of the client in a node's namespace (`client-main.ts`), over the IPC channel of the process. */
export type ClientRequest =
  /** Answers the revision. */
  | { call: 'put'; key: string; value: string }
  /** Resolves when the node's etcd port takes connections. */
  | { call: 'until-served' }
  /** All keys below a prefix. */
  | { call: 'list'; prefix: string }
  /** A digest of all keys, with their values and revisions, at a revision; 0: the newest. */
  | { call: 'digest'; revision: number }
  /** The open conflicts of keys below a prefix, with their values. @param config path of the configuration */
  | { call: 'conflicts'; config: string; prefix: string }
  /** Begins to write until `stop-load`. */
  | { call: 'start-load'; keys: LoadKeys }
  | { call: 'stop-load' }
  /** Writes `count` keys, one after the other. */
  | { call: 'timed-puts'; prefix: string; count: number; pauseMs: number }
  /** Begins to watch all keys below a prefix. */
  | { call: 'start-watch'; prefix: string }
  | { call: 'stop-watch' }
  /** The newest record of the log on this node. */
  | { call: 'log-end' }
  /** Resolves when this node's copy of the log reaches a record. */
  | { call: 'until-stored'; sequence: number }
  /** Begins to follow and to write objects through the kube-apiserver of the node. */
  | { call: 'start-informer'; access: KubeAccess; prefix: string }
  | { call: 'stop-informer' };

export interface StoredKey {
  key: string;
  value: string;
  modRevision: number;
}

export interface DigestAnswer {
  sha256: string;
  /** What HashKV says of that revision. */
  hashKv: number;
  revision: number;
}

/** What a load writes. */
export interface LoadKeys {
  /** Below it new keys of its own, one after the other. */
  own: string;
  /** Keys to which the load of the other side appends too. */
  shared: readonly string[];
  /** A key of its own which is on no list. */
  unlisted: string;
}

/** Outcome of a load. */
export interface LoadAnswer {
  /** Own keys that were acknowledged, with their values. */
  acknowledged: [key: string, value: string][];
  /** Own keys that were not. */
  refused: number;
  /** Neither acknowledged nor refused: the outcome is unknown. */
  unknown: number;
  /** Longest time between two of them, in milliseconds. */
  longestGapMs: number;
  /** Acknowledged writes whose revision was not above that of the one before. */
  wentBack: string[];
  /** What was acknowledged of the shared keys. */
  appended: [key: string, entry: string][];
  /** Writes on no list that the node refused. */
  unlistedRefused: number;
  /** Such writes that it acknowledged though it was restricted all the while: the state then. */
  unlistedTaken: string[];
}

/** When a key was acknowledged, or seen: milliseconds since the Unix epoch, with fractions. */
export type TimedKey = [key: string, atMs: number];

/** What came of an informer. */
export interface InformerAnswer {
  lists: number;
  watches: number;
  events: number;
  written: number;
  /** What was not seen though it should have been. */
  missed: string[];
}

/** What the client tells unasked: each state message of its own node. `atMs`: milliseconds since the Unix epoch. */
export interface StateSeen {
  state: StateMessage;
  atMs: number;
}

export type ClientAnswer = { id: number; error: string } | { id: number; result: unknown };
