import type { NodeState, Role } from '../../../shared/node.ts';
import type { Reason } from '../../../shared/reasons.ts';

/**
 * The rules of docs/states.md: from what is known now to what the node may do. Pure, over a small record, so that every
 * combination can be enumerated. Nothing here knows of clocks, signals or messages: see `facts.ts` for how they become facts.
 */

/** Something of this node's own that failed. */
export interface Failure {
  /** `local.nic`, `northsouth`, … */
  readonly check: string;
  /** In the prober's words: `eth0: carrier lost`. */
  readonly text: string;
  /** Onset, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}

export interface PeerFacts {
  /** Its beats arrive (the prober has damped that) and it has not said that it leaves. */
  readonly heard: boolean;
  /** Since when it is not heard; null while it is, or when that is not known. */
  readonly silentSinceMs: number | null;
  /** `impaired`: it says so. `api-failed`: our probe of its API says so. What is unknown counts as healthy. */
  readonly health: 'healthy' | 'impaired' | 'api-failed';
  readonly saysLeader: boolean;
  /**
   * `works`: its shim answers and the mirror is active, or did less than `linkStallAfter` ago. `settling`: the peer is heard
   * again, but the link has not come back yet. `stalled`: it does not work for `linkStallAfter`.
   */
  readonly logLink: 'works' | 'settling' | 'stalled';
}

/** What is known now. */
export interface Facts {
  readonly role: Role;
  /** The first fatal local failure, if any. */
  readonly localFailure: Failure | null;
  /** `silent`: for less than `staleAfter`, or not all signals are known yet. `lost`: for longer. */
  readonly prober: 'current' | 'silent' | 'lost';
  /** Since this boot the peer was heard, or was down for `bootGrace`. */
  readonly bootOver: boolean;
  readonly log: 'verified' | 'unverified' | 'never-joined';
  readonly peer: PeerFacts;
  /** All that this follower wrote alone is merged and in its mirror. */
  readonly reconverged: boolean;
  /** The lost north-south reach, or null while at least one test point answers. */
  readonly northSouthLost: Failure | null;
  /** The north-south reach was lost while LeaderRX, outside the incident that made it so. */
  readonly furtherFailure: boolean;
}

/** What a node may do, and why. */
export interface Verdict {
  readonly state: NodeState;
  /** Null while nothing restricts the node. */
  readonly reason: Reason | null;
  /** The failed check behind the reason, if it is one. */
  readonly check: string;
  /** That check in the prober's words; empty when it is none. */
  readonly failure: string;
  /** Onset of the reason, in milliseconds since the Unix epoch; null: the moment of the verdict. */
  readonly onsetMs: number | null;
}

type Rule = (facts: Facts) => Verdict | 'unchanged' | null;

const unrestricted = (state: 'Leader' | 'Follower'): Verdict => ({
  state,
  reason: null,
  check: '',
  failure: '',
  onsetMs: null,
});

const restricted = (
  state: 'LeaderRX' | 'Impaired',
  reason: Reason,
  onsetMs: number | null = null,
): Verdict => ({ state, reason, check: '', failure: '', onsetMs });

const failed = (reason: Reason, { check, text, sinceMs }: Failure): Verdict => ({
  state: 'Impaired',
  reason,
  check,
  failure: text,
  onsetMs: sinceMs,
});

/** Rule 1: a fatal local failure. */
const localFailure: Rule = ({ localFailure: failure }) => {
  if (!failure) return null;
  return failed(failure.check === 'local.storage' ? 'storage-full' : 'local-failure', failure);
};

/** Rule 2: what a verdict needs is missing. */
const noVerdictYet: Rule = ({ prober, bootOver, log }) => {
  if (prober === 'lost') return restricted('Impaired', 'prober-silent');
  if (!bootOver) return restricted('Impaired', 'starting');
  if (log === 'never-joined') return restricted('Impaired', 'never-joined');
  if (log === 'unverified') return restricted('Impaired', 'unverified-log');
  return null;
};

/** Rule 2, second half: a prober silent for a short time leaves the last verdict in force. */
const proberSilent: Rule = ({ prober }) => (prober === 'silent' ? 'unchanged' : null);

/** Rule 3: a LeaderRX suffers a further failure of its own. Local ones are rule 1. */
const furtherFailure: Rule = (facts) => {
  const { peer, northSouthLost } = facts;
  if (!facts.furtherFailure || !northSouthLost) return null;
  if (peer.heard && peer.health === 'healthy' && peer.logLink === 'works') return null;
  return failed('further-failure', northSouthLost);
};

/** Rule 4: peer heard, log link works. */
const linkWorks: Rule = ({ role, peer, reconverged }) => {
  if (!peer.heard || peer.logLink !== 'works') return null;
  if (role === 'leader') return unrestricted('Leader');
  if (peer.health === 'impaired') return restricted('LeaderRX', 'peer-impaired');
  if (peer.health === 'api-failed') return restricted('LeaderRX', 'peer-api-failed');
  if (!reconverged) return restricted('LeaderRX', 'reconverging');
  return unrestricted('Follower');
};

/**
 * Rule 5: peer heard, log link stalled. A leader leads also while the link settles; for a follower a settling link is not
 * stalled yet ("a shorter stall changes no state"): it goes on as if the peer were still away.
 */
const linkStalled: Rule = ({ role, peer }) => {
  if (!peer.heard) return null;
  if (role === 'leader') return unrestricted('Leader');
  if (peer.logLink !== 'stalled') return null;
  if (peer.saysLeader) return restricted('Impaired', 'link-stalled');
  return restricted('LeaderRX', peer.health === 'impaired' ? 'peer-impaired' : 'link-stalled');
};

/** Rule 6: peer down, north-south answers. */
const peerDown: Rule = ({ role, peer, northSouthLost }) => {
  if (northSouthLost) return null;
  if (role === 'leader') return unrestricted('Leader');
  return restricted('LeaderRX', 'peer-down', peer.silentSinceMs);
};

/** Rule 7: peer down and nothing answers north-south. Isolated or joint failure: one node cannot tell them apart. */
const isolated: Rule = ({ peer }) => restricted('LeaderRX', 'isolated', peer.silentSinceMs);

/** In order: the first match wins. The last one always matches. */
const rules: readonly Rule[] = [
  localFailure,
  noVerdictYet,
  proberSilent,
  furtherFailure,
  linkWorks,
  linkStalled,
  peerDown,
  isolated,
];

/** Judges by the rules: the verdict, or `unchanged` when the last one stays in force. */
export function judge(facts: Facts): Verdict | 'unchanged' {
  for (const rule of rules) {
    const verdict = rule(facts);
    if (verdict !== null) return verdict;
  }
  throw new Error('no rule matched');
}
