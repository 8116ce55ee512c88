import type { JetStreamManager, NatsConnection } from 'nats';
import type { NodePair, TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { MutationLists } from '../../../shared/mutation/lists.ts';
import type { NodePaths } from '../../../shared/paths.ts';
import type { Backend } from '../backend.ts';
import type { Identity } from '../replication/protocol.ts';
import type { CurrentState, DatastoreFacts } from '../state/service.ts';
import type { VerifiedPoint } from '../verified-point.ts';
import type { OnJudged } from './judged-writes.ts';

/** What both roles of a node stand on. */
export interface NodeContext {
  config: TwoNodeConfiguration;
  pair: NodePair;
  paths: NodePaths;
  connection: NatsConnection;
  manager: JetStreamManager;
  lists: MutationLists;
  verifiedPoint: VerifiedPoint;
  /** The state that the state machine gave this node last. */
  state: () => CurrentState;
  /** Called when something that the state machine judges has changed. */
  onFacts: () => void;
  /** Called when this process cannot go on with its log: another one writes to it, or a record cannot be used. */
  onLost: (error: Error) => void;
  /** Ends this process, to be started again: what is on disk is another log now. */
  restart: (why: string) => void;
  /** Called with the seconds that each record took until it was on disk. */
  onWritten: (seconds: number) => void;
  /** Called with what the lists judged. */
  onJudged: OnJudged;
  logger: Logger;
}

/** Who this node is, as it tells its peer. */
export function identityOf({ config, pair }: NodeContext): Identity {
  return { cluster: config.cluster, node: pair.self.name, role: pair.self.role, peer: pair.peer.name };
}

/** How replication stands, as one node sees it. */
export interface ReplicationView {
  linkWorks: boolean;
  /** Whether writes wait for the follower; null on the follower. */
  following: boolean | null;
  /** Sequence of the newest record that the follower is known to hold. */
  stored: number;
  /** What the leader has acknowledged and the follower does not show yet, and for how long; null on the leader. */
  lagRevisions: number | null;
  lagSeconds: number | null;
}

/** A node's datastore in its role: what the etcd API stands on, and what the state machine asks. */
export interface ShimNode extends Backend {
  facts(): DatastoreFacts;
  replication(): ReplicationView;
  /** The state changed: where writes go may have, too. */
  stateChanged(): void;
  stop(): Promise<void>;
}
