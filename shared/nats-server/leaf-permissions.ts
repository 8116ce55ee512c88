import { jetStreamApi, mirrorConsumer, mirrorDeliverSubject } from './names.ts';

/** What may pass a leaf connection, seen from the server that accepts it. */
export interface LeafPermissions {
  /** Subjects on which the follower may publish into the leader. */
  publish: string[];
  /** Subjects which the follower may receive from the leader. */
  subscribe: string[];
}

/**
 * The least that twonode and a mirror in either direction need. Everything else stays at home: `log.records`, `overlay.records`,
 * `kept.records` and the JetStream API of the other node, so no client of one node can write into a stream of the other.
 *
 * - `twonode.>` health, state, requests and the private inboxes of the services
 * - `$SRV.>`, `_INBOX.>` NATS micro, and answers to people's tools
 * - `$JS.FC.>` flow control of the mirror's consumer; `$JSC.R.>` replies to a mirror's requests: without it the
 *   mirror stays at 0 and nothing is logged
 * - `CONSUMER.RESET` how a mirror attaches to its pre-created consumer (nats-server 2.15), and the deliver subject
 */
export function leafPermissions(leader: string, follower: string): LeafPermissions {
  const both = ['twonode.>', '$SRV.>', '_INBOX.>', '$JS.FC.>', '$JSC.R.>'];
  return {
    publish: [...both, consumerReset(leader, follower), mirrorDeliverSubject(leader)],
    subscribe: [...both, consumerReset(follower, leader), mirrorDeliverSubject(follower)],
  };
}

/** The request by which the mirror on `to` attaches to its consumer on `origin`, for a log with any number. */
function consumerReset(origin: string, to: string): string {
  return `${jetStreamApi(origin)}.CONSUMER.RESET.*.${mirrorConsumer(to)}`;
}
